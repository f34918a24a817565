//! How wide the columns of the table of neurons are, and what they show.

use athanor_spec::telemetry::GradeSummary;
use ratatui::style::Style;

use super::{Canvas, chart, text};
use crate::{
    state::{Column, NeuronRow, Sort, short},
    table::Role,
};

/// Heading and width of a column in columns of the terminal.
pub(super) fn shape(column: Column, wide: bool) -> (&'static str, usize) {
    match column {
        Column::Uid => ("UID", 4),
        Column::Role => ("R", 1),
        Column::Hotkey => ("HOTKEY", 8),
        Column::Coldkey => ("COLDKEY", 8),
        Column::Behaviour => ("BEHAVIOUR", if wide { 18 } else { 12 }),
        Column::Stake => ("STAKE τ", 8),
        Column::Permit => ("PERMIT", 6),
        Column::Incentive => ("INC %", 5),
        Column::Dividends => ("DIV %", 5),
        Column::Emission => ("EMIT τ", 8),
        Column::Trend => ("TREND", 10),
        Column::Consensus => ("CONS", 5),
        Column::Trust => ("TRUST", 5),
        Column::Fidelity => ("FID", 4),
        Column::Correctness => ("COR", 4),
        Column::Service => ("SRV", 4),
        Column::Liveliness => ("LIVE", 4),
        Column::Quality => ("Q", 4),
        Column::PaidQuality => ("PAID", 4),
        Column::Asks => ("ANSW", 4),
        Column::Latency => ("TTFT", 6),
        Column::Checkpoint => ("CHECKPT", 8),
        Column::Axon => ("AXON", 21),
        Column::Updated => ("UPD", 5),
        Column::Registered => ("REG", 8),
        Column::Fault => ("FAULT", if wide { 16 } else { 10 }),
    }
}

/// Whether a column holds a number, which stands at its right end.
pub(super) fn is_number(column: Column) -> bool {
    !matches!(
        column,
        Column::Role
            | Column::Hotkey
            | Column::Coldkey
            | Column::Behaviour
            | Column::Permit
            | Column::Trend
            | Column::Checkpoint
            | Column::Axon
            | Column::Fault
    )
}

/// The order that a click on the heading asks for.
pub(super) fn order(column: Column) -> Option<Sort> {
    Some(match column {
        Column::Uid => Sort::Uid,
        Column::Stake => Sort::Stake,
        Column::Incentive | Column::Dividends | Column::Emission => Sort::Emission,
        Column::Quality | Column::PaidQuality | Column::Fidelity => Sort::Quality,
        Column::Consensus | Column::Trust => Sort::Trust,
        Column::Updated => Sort::Updated,
        Column::Fault => Sort::Fault,
        _ => return None,
    })
}

impl Canvas<'_> {
    /// The chosen columns that fit into `width`: where there is no room for all, those that matter least are left out.
    pub(super) fn fitting(&self, width: usize, labels: bool) -> Vec<Column> {
        let wide = width >= 130;
        let mut columns: Vec<Column> = self
            .screen
            .columns
            .iter()
            .copied()
            .filter(|column| labels || *column != Column::Behaviour)
            .collect();
        let total =
            |columns: &[Column]| -> usize { columns.iter().map(|it| shape(*it, wide).1 + 1).sum() };
        while total(&columns) > width && columns.len() > 1 {
            let least = columns.iter().copied().max_by_key(|column| column.rank());
            columns.retain(|column| Some(*column) != least);
        }
        columns
    }

    /// What a column shows of a neuron.
    pub(super) fn cell(
        &self,
        column: Column,
        row: &NeuronRow<'_>,
        wide: bool,
    ) -> (String, Option<Style>) {
        let neuron = row.neuron;
        let width = shape(column, wide).1;
        let dash = || "-".to_owned();
        let axis = |read: fn(&GradeSummary) -> f64| match (row.verdict(), row.role) {
            (Some(verdict), Role::Miner) => text::unit(read(verdict.grade)),
            _ => dash(),
        };
        let known = self.state.peers.miners.get(&neuron.hotkey);
        let text = match column {
            Column::Uid => neuron.uid.to_string(),
            Column::Role => row.role.letter().to_string(),
            Column::Hotkey => short(&neuron.hotkey),
            Column::Coldkey => short(&neuron.coldkey),
            Column::Behaviour => text::cut(row.label.unwrap_or("-"), width),
            Column::Stake => text::amount(neuron.stake, width),
            Column::Permit => (if neuron.validator_permit { "yes" } else { "no" }).to_owned(),
            Column::Incentive => text::percent(neuron.incentive),
            Column::Dividends => text::percent(neuron.dividends),
            Column::Emission => text::amount(neuron.emission, width),
            Column::Trend => {
                let track = self.state.history.tracks.get(&neuron.hotkey);
                let points = track.map(|track| track.emission.resampled(width));
                return (
                    chart::spark(&points.unwrap_or_default(), None),
                    Some(self.palette.series),
                );
            }
            Column::Consensus => match row.role {
                Role::Miner => text::share(neuron.consensus),
                Role::Validator => dash(),
            },
            Column::Trust => match row.role {
                Role::Validator => text::share(neuron.validator_trust),
                Role::Miner => dash(),
            },
            Column::Fidelity => axis(|grade| grade.fidelity),
            Column::Correctness => axis(|grade| grade.correctness),
            Column::Service => axis(|grade| grade.service),
            Column::Liveliness => axis(|grade| grade.liveliness),
            Column::Quality => axis(|grade| grade.quality),
            Column::PaidQuality => match (row.verdict(), row.role) {
                (Some(verdict), Role::Miner) => text::paid(verdict.grade),
                _ => dash(),
            },
            Column::Asks => known
                .and_then(|known| known.records.values().next())
                .and_then(|record| record.answered)
                .map_or_else(dash, |answered| text::unit(answered.value)),
            Column::Latency => known
                .and_then(|known| known.first_token.quantile(0.5))
                .map_or_else(dash, text::millis),
            Column::Checkpoint => neuron
                .commitment
                .and_then(|(record, _)| record.checkpoint())
                .map_or_else(dash, |digest| digest.short()),
            Column::Axon => neuron.axon.map_or_else(dash, |axon| axon.to_string()),
            Column::Updated => match row.role {
                Role::Validator => self.blocks_since(neuron.last_update.0),
                Role::Miner => dash(),
            },
            Column::Registered => neuron.registered_at.to_string(),
            Column::Fault => {
                return match row.verdict().map(|verdict| verdict.fault) {
                    Some(Some(fault)) if wide => {
                        (text::cut(&fault.kind, width), Some(self.palette.bad))
                    }
                    Some(Some(fault)) => (text::fault(&fault.kind), Some(self.palette.bad)),
                    Some(None) => ("ok".to_owned(), Some(self.palette.good)),
                    None => ("-".to_owned(), Some(self.palette.dim)),
                };
            }
        };
        let style = (row.role == Role::Validator).then_some(self.palette.validator);
        (text, style)
    }

    fn blocks_since(&self, block: u32) -> String {
        let now = self
            .state
            .chain
            .as_ref()
            .map_or(0, |chain| chain.metagraph.block.0);
        now.saturating_sub(block).to_string()
    }
}
