//! The ledger as rows that a spreadsheet or a script reads: one per registration.

use std::io::{self, Write};

use athanor_scoring::ledger::{Estimate, Measured};
use athanor_spec::{BlockNumber, Digest, Hotkey, SubnetSpec};
use serde::{Deserialize, Serialize};

use crate::book::{Book, BookError};

/// One registration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Who.
    pub hotkey: Hotkey,
    /// Block of the registration.
    pub registered_at: BlockNumber,
    /// Checkpoint of the last round.
    pub checkpoint: Option<Digest>,
    /// Kind of the fault, if there is one.
    pub fault: Option<String>,
    /// Evidence of the fault.
    pub evidence: Option<String>,
    /// What was measured. Not flattened: serde would buffer it, and lose its floats (see `telemetry::Event`).
    pub measured: Measured,
}

/// Every registration that the ledger knows, by hotkey and block.
pub fn rows(book: &Book, spec: &SubnetSpec) -> Result<Vec<Row>, BookError> {
    let ledger = book.ledger()?;
    let row = |(account, record): (&athanor_spec::Account, &athanor_scoring::ledger::Record)| {
        let summary = record.summary(spec);
        let (fault, evidence) = match summary.fault {
            Some(fault) => (Some(fault.kind), Some(fault.evidence)),
            None => (None, None),
        };
        Row {
            hotkey: account.hotkey,
            registered_at: account.registered_at,
            checkpoint: summary.checkpoint,
            fault,
            evidence,
            measured: record.measured(spec),
        }
    };
    Ok(ledger.records().iter().map(row).collect())
}

/// The columns of [`csv`].
const COLUMNS: [&str; 27] = [
    "hotkey",
    "registered_at",
    "checkpoint",
    "fault",
    "evidence",
    "asked",
    "opened",
    "effective_asks",
    "answered",
    "answered_low",
    "answered_high",
    "fidelity",
    "own_divergence",
    "forced_divergence",
    "correctness",
    "correctness_low",
    "correctness_high",
    "service",
    "service_low",
    "service_high",
    "liveliness",
    "e_value",
    "condemned_at",
    "audited",
    "quality",
    "width",
    "quality_low",
];

/// Writes rows as CSV (RFC 4180), with a line of names first; what was not measured is empty.
pub fn csv(rows: &[Row], mut to: impl Write) -> io::Result<()> {
    writeln!(to, "{}", COLUMNS.join(","))?;
    for row in rows {
        writeln!(to, "{}", row.fields().map(|field| quoted(&field)).join(","))?;
    }
    Ok(())
}

impl Row {
    fn fields(&self) -> [String; COLUMNS.len()] {
        let it = &self.measured;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let number = |value: Option<f64>| value.map_or_else(String::new, |it| it.to_string());
        let value = |of: &Option<Estimate>| number(of.map(|it| it.value));
        let low = |of: &Option<Estimate>| number(of.map(|it| it.low));
        let high = |of: &Option<Estimate>| number(of.map(|it| it.high));
        [
            self.hotkey.to_string(),
            self.registered_at.to_string(),
            self.checkpoint
                .map_or_else(String::new, |it| it.to_string()),
            text(&self.fault),
            text(&self.evidence),
            it.asked.to_string(),
            it.opened.to_string(),
            it.effective_asks.to_string(),
            value(&it.answered),
            low(&it.answered),
            high(&it.answered),
            number(it.fidelity),
            number(it.own_divergence),
            number(it.forced_divergence),
            value(&it.correctness),
            low(&it.correctness),
            high(&it.correctness),
            value(&it.service),
            low(&it.service),
            high(&it.service),
            value(&it.liveliness),
            it.e_value.to_string(),
            it.condemned_at.to_string(),
            it.audited.to_string(),
            it.quality.to_string(),
            it.width.to_string(),
            it.quality_low.to_string(),
        ]
    }
}

/// A field, in quotes where it needs them.
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use athanor_scoring::ledger::Record;

    use super::*;

    fn row(evidence: &str) -> Row {
        Row {
            hotkey: Hotkey([1; 32]),
            registered_at: BlockNumber(7),
            checkpoint: None,
            fault: Some("copy".into()),
            evidence: Some(evidence.into()),
            measured: Record::default().measured(&SubnetSpec::local()),
        }
    }

    #[test]
    fn every_row_has_every_column_whatever_the_evidence_says() {
        let mut text = Vec::new();
        csv(
            &[row("plain"), row("with, a comma and \"quotes\"")],
            &mut text,
        )
        .unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].split(',').count(), COLUMNS.len());
        assert_eq!(lines[1].split(',').count(), COLUMNS.len());
        assert!(
            lines[2].contains(r#""with, a comma and ""quotes""""#),
            "{}",
            lines[2]
        );
    }

    #[test]
    fn a_row_of_json_reads_back() {
        let row = row("x");
        let json = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&json).unwrap(), row);
    }
}
