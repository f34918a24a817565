//! The selected neuron: why it is paid what it is paid, and what every validator says.

use std::collections::BTreeMap;

use athanor_spec::{Hotkey, Uid, telemetry::GradeSummary};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::{Paragraph, Wrap},
};

use super::{Palette, text};
use crate::{
    state::{Cause, Graded, NeuronRow, State, explain},
    table::{Role, tao},
};

pub(super) fn render(
    frame: &mut Frame<'_>,
    area: Rect,
    state: &State,
    row: Option<&NeuronRow<'_>>,
    scroll: u16,
    palette: &Palette,
) {
    let Some(row) = row else {
        return frame.render_widget(Paragraph::new("The subnet has no neurons yet."), area);
    };
    let mut lines = identity(row, palette);
    lines.extend(reasons(state, row, palette));
    lines.extend(match row.role {
        Role::Validator => votes(state, row, palette),
        Role::Miner => judges(state, row, palette),
    });
    lines.extend(record(state, row, palette));
    frame.render_widget(
        Paragraph::new(lines)
            .wrap(Wrap { trim: false })
            .scroll((scroll, 0)),
        area,
    );
}

fn identity(row: &NeuronRow<'_>, palette: &Palette) -> Vec<Line<'static>> {
    let role = match row.role {
        Role::Validator => "validator",
        Role::Miner => "miner",
    };
    let label = row
        .label
        .map_or(String::new(), |label| format!(" ({label})"));
    vec![Line::from(vec![
        Span::styled(
            format!("uid {} {role}{label}", row.neuron.uid),
            palette.heading,
        ),
        Span::styled(format!("  {}", row.neuron.hotkey), palette.dim),
    ])]
}

fn reasons(state: &State, row: &NeuronRow<'_>, palette: &Palette) -> Vec<Line<'static>> {
    let line = |(at, cause): (usize, Cause)| {
        let style = match cause {
            Cause::Accused { .. } => palette.bad,
            Cause::Paid { .. } | Cause::Votes { .. } => palette.good,
            _ => palette.warn,
        };
        let zero = at == 0 && row.role == Role::Miner && row.neuron.incentive == 0;
        let lead = if zero { "incentive is zero: " } else { "why: " };
        Line::from(vec![
            Span::styled(lead, palette.heading),
            Span::styled(cause.to_string(), style),
        ])
    };
    explain(state, row.neuron)
        .into_iter()
        .enumerate()
        .map(line)
        .collect()
}

fn record(state: &State, row: &NeuronRow<'_>, palette: &Palette) -> Vec<Line<'static>> {
    let neuron = row.neuron;
    let committed = neuron
        .commitment
        .and_then(|(record, block)| Some((record.checkpoint()?, block)));
    let checkpoint = committed.map_or("none".to_owned(), |(digest, block)| {
        format!("{} (committed in block {block})", digest.short())
    });
    let axon = neuron
        .axon
        .map_or("none".to_owned(), |address| address.to_string());
    let share = |part: u16| format!("{:.3}", f64::from(part) / f64::from(u16::MAX));
    let standing = match row.role {
        Role::Validator => format!(
            "validator trust {}  last update in block {}",
            share(neuron.validator_trust),
            neuron.last_update
        ),
        Role::Miner => format!("consensus {}", share(neuron.consensus)),
    };
    let mut lines = Vec::new();
    if row.role == Role::Miner {
        lines.push(format!("checkpoint {checkpoint}  axon {axon}"));
    }
    lines.push(format!(
        "stake {} TAO  {standing}  registered in block {}",
        tao(neuron.stake),
        neuron.registered_at
    ));
    if let Some(known) = state.peers.miners.get(&neuron.hotkey) {
        if let Some(digest) = &known.serving {
            lines.push(format!(
                "serves {} after {} swaps",
                digest.short(),
                known.swaps
            ));
        }
        if let Some(reason) = &known.last_failure {
            lines.push(format!(
                "{} requests failed, the last: {}",
                known.failures, reason
            ));
        }
    }
    lines
        .into_iter()
        .map(|line| Line::styled(line, palette.dim))
        .collect()
}

fn votes(state: &State, row: &NeuronRow<'_>, palette: &Palette) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(known) = state.peers.validators.get(&row.neuron.hotkey) {
        let round = known
            .round
            .map_or("no round yet".to_owned(), |(round, asks)| {
                format!("round {round}, {asks} asks")
            });
        let vote = known.vote.as_ref().map_or(String::new(), |vote| {
            format!(
                "  weights set in block {} for epoch {}",
                vote.block, vote.epoch
            )
        });
        lines.push(Line::raw(format!(
            "{round}  {} asks without an answer{vote}",
            known.failures
        )));
    }
    let weights = state
        .chain
        .as_ref()
        .and_then(|chain| chain.weights.iter().find(|(uid, _)| *uid == row.neuron.uid));
    let list: Vec<_> = weights
        .map_or(&[][..], |(_, weights)| weights)
        .iter()
        .filter(|(_, weight)| *weight > 0)
        .map(|(uid, weight)| {
            format!(
                "{uid}:{}",
                text::unit(f64::from(*weight) / f64::from(u16::MAX))
            )
        })
        .collect();
    let list = if list.is_empty() {
        "none".to_owned()
    } else {
        list.join("  ")
    };
    lines.push(Line::from(vec![
        Span::styled("weights on chain (uid:weight) ", palette.heading),
        Span::raw(list),
    ]));
    lines
}

/// Who graded it or gave it weight, by UID; graders that are not registered come last.
fn judges(state: &State, row: &NeuronRow<'_>, palette: &Palette) -> Vec<Line<'static>> {
    let mut judges: BTreeMap<Option<Uid>, (Option<&Graded>, Option<u16>)> = BTreeMap::new();
    for (uid, weight) in state.weights_on(row.neuron.uid) {
        judges.entry(Some(uid)).or_default().1 = Some(weight);
    }
    let uid_of = |hotkey: &Hotkey| state.neuron(hotkey).map(|neuron| neuron.uid);
    for (validator, graded) in state
        .peers
        .miners
        .get(&row.neuron.hotkey)
        .map(|miner| &miner.grades)
        .into_iter()
        .flatten()
    {
        judges.entry(uid_of(validator)).or_default().0 = Some(graded);
    }
    if judges.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![Line::styled(
        format!(
            "{:>4} {:>5}  FID  COR  SRV LIVE    Q PAID  ASKS WEIGHT FAULT",
            "BY", "ROUND"
        ),
        palette.heading,
    )];
    lines.extend(
        judges
            .into_iter()
            .map(|(uid, (graded, weight))| judge(uid, graded, weight)),
    );
    lines
}

fn judge(uid: Option<Uid>, graded: Option<&Graded>, weight: Option<u16>) -> Line<'static> {
    let dash = || "-".to_owned();
    let grade = graded.map(|graded| &graded.summary);
    let axis =
        |read: fn(&GradeSummary) -> f64| grade.map_or_else(dash, |grade| text::unit(read(grade)));
    Line::raw(format!(
        "{:>4} {:>5} {:>4} {:>4} {:>4} {:>4} {:>4} {:>4} {:>5} {:>6} {}",
        uid.map_or_else(dash, |uid| uid.to_string()),
        graded.map_or_else(dash, |graded| graded.round.to_string()),
        axis(|grade| grade.fidelity),
        axis(|grade| grade.correctness),
        axis(|grade| grade.service),
        axis(|grade| grade.liveliness),
        axis(|grade| grade.quality),
        axis(|grade| grade.quality_low),
        grade.map_or_else(dash, |grade| format!("{:.1}", grade.answered)),
        weight.map_or_else(dash, |weight| format!(
            "{:.3}",
            f64::from(weight) / f64::from(u16::MAX)
        )),
        match grade.map(|grade| &grade.fault) {
            Some(Some(fault)) => text::fault(&fault.kind),
            Some(None) => "ok".to_owned(),
            None => dash(),
        },
    ))
}
