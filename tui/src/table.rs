//! One table per epoch as plain text, for runs without a terminal.

use std::fmt::Write;

use athanor_spec::{
    BlockNumber, Digest, Epoch, Rao, Uid,
    telemetry::{FaultSummary, GradeSummary},
};
use serde::Serialize;

/// What a neuron acts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Asks, grades and votes.
    Validator,
    /// Serves.
    Miner,
}

impl Role {
    /// One letter for narrow columns.
    pub fn letter(self) -> char {
        match self {
            Self::Validator => 'V',
            Self::Miner => 'M',
        }
    }
}

/// One neuron in one epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EpochRow {
    /// Its slot.
    pub uid: Uid,
    /// What it acts as.
    pub role: Role,
    /// What it is known to be, on a local subnet.
    pub behaviour: Option<String>,
    /// The checkpoint that it has committed to.
    pub checkpoint: Option<Digest>,
    /// The grade by the validator with the most stake; `None` for a validator or before the first grade.
    pub grade: Option<GradeSummary>,
    /// Its weight by each validator that has set weights, max-upscaled: 65,535 is that validator's largest.
    pub weights: Vec<(Uid, u16)>,
    /// Share of all incentive, of 65,535.
    pub incentive: u16,
    /// Share of all dividends, of 65,535.
    pub dividends: u16,
    /// What the epoch paid it.
    pub emission: Rao,
    /// What it is accused of, if anything.
    pub fault: Option<FaultSummary>,
}

/// The rows as a table of aligned columns, with the evidence of every accusation beneath. Shares are in percent, weights in
/// [0, 1] of the validator's largest, emission in TAO. Ends with a newline.
pub fn epoch_table(epoch: Epoch, block: BlockNumber, rows: &[EpochRow]) -> String {
    let mut voters: Vec<Uid> = rows
        .iter()
        .flat_map(|row| row.weights.iter().map(|(voter, _)| *voter))
        .collect();
    voters.sort_unstable();
    voters.dedup();
    let mut cells = vec![head(&voters)];
    cells.extend(rows.iter().map(|row| line(row, &voters)));
    let paid = rows
        .iter()
        .fold(0u64, |sum, row| sum.saturating_add(row.emission.0));
    let mut text = format!(
        "epoch {epoch}, block {block}: {} neurons, {} TAO paid\n",
        rows.len(),
        tao(Rao(paid))
    );
    align(&cells, &mut text);
    for row in rows {
        if let Some(fault) = &row.fault {
            let evidence = fault.evidence.replace(char::is_control, " ");
            writeln!(text, "  uid {} {}: {evidence}", row.uid, fault.kind)
                .expect("writing to a string succeeds");
        }
    }
    text
}

/// Columns that hold words and are aligned to the left; the others hold numbers.
const WORDS: [&str; 4] = ["role", "behaviour", "checkpoint", "fault"];

fn head(voters: &[Uid]) -> Vec<String> {
    let mut cells: Vec<String> = [
        "uid",
        "role",
        "behaviour",
        "checkpoint",
        "fidelity",
        "correct",
        "service",
    ]
    .map(str::to_owned)
    .to_vec();
    cells.extend(voters.iter().map(|voter| format!("w by {voter}")));
    cells.extend(["incentive", "dividends", "emission", "fault"].map(str::to_owned));
    cells
}

fn line(row: &EpochRow, voters: &[Uid]) -> Vec<String> {
    let axis = |read: fn(&GradeSummary) -> f64| {
        row.grade
            .as_ref()
            .map_or("-".to_owned(), |grade| format!("{:.3}", read(grade)))
    };
    let role = match row.role {
        Role::Validator => "validator",
        Role::Miner => "miner",
    };
    let mut cells = vec![
        row.uid.to_string(),
        role.to_owned(),
        row.behaviour.clone().unwrap_or_else(|| "-".to_owned()),
        row.checkpoint
            .map_or("-".to_owned(), |digest| digest.short()),
        axis(|grade| grade.fidelity),
        axis(|grade| grade.correctness),
        axis(|grade| grade.service),
    ];
    cells.extend(voters.iter().map(|voter| {
        let weight = row.weights.iter().find(|(from, _)| from == voter);
        weight.map_or("-".to_owned(), |(_, weight)| {
            format!("{:.3}", f64::from(*weight) / f64::from(u16::MAX))
        })
    }));
    cells.push(percent(row.incentive));
    cells.push(percent(row.dividends));
    cells.push(tao(row.emission));
    cells.push(
        row.fault
            .as_ref()
            .map_or("-".to_owned(), |fault| fault.kind.clone()),
    );
    cells
}

fn align(cells: &[Vec<String>], text: &mut String) {
    let Some(head) = cells.first() else { return };
    let width = |column: usize| {
        cells
            .iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for row in cells {
        let mut out = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let padded = if WORDS.contains(&head[column].as_str()) {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            };
            out.push_str("  ");
            out.push_str(&padded);
        }
        text.push_str(out.trim_end());
        text.push('\n');
    }
}

/// A share of 65,535 in percent, one decimal.
pub(crate) fn percent(share: u16) -> String {
    format!("{:.1}", f64::from(share) / f64::from(u16::MAX) * 100.0)
}

/// An amount in TAO, four decimals, cut and not rounded so that no row shows more than was paid.
pub(crate) fn tao(amount: Rao) -> String {
    format!(
        "{}.{:04}",
        amount.0 / Rao::PER_TAO,
        amount.0 % Rao::PER_TAO / 100_000
    )
}

#[cfg(test)]
mod tests;
