//! What happened, as lines for a person.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use athanor_spec::{BlockNumber, Hotkey, Rao, telemetry::Event};

use super::{Snapshot, State, short};
use crate::table::tao;

/// Lines kept; older ones are dropped.
const MAX_LINES: usize = 2000;
/// Characters kept of a line; events come from elsewhere and may carry anything.
const MAX_CHARS: usize = 1000;

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The chain: epochs, registrations, connection.
    Chain,
    /// A validator's round or grade.
    Grade,
    /// An accusation.
    Fault,
    /// Weights.
    Weights,
    /// Distillation and checkpoints.
    Training,
    /// Something that a person may have to act on.
    Warning,
}

impl Kind {
    /// The next kind in the cycle that begins and ends with all of them.
    pub fn after(kind: Option<Self>) -> Option<Self> {
        match kind {
            None => Some(Self::Fault),
            Some(Self::Fault) => Some(Self::Warning),
            Some(Self::Warning) => Some(Self::Weights),
            Some(Self::Weights) => Some(Self::Chain),
            Some(Self::Chain) => Some(Self::Grade),
            Some(Self::Grade) => Some(Self::Training),
            Some(Self::Training) => None,
        }
    }

    /// Name for a person.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Grade => "grades",
            Self::Fault => "faults",
            Self::Weights => "votes",
            Self::Training => "training",
            Self::Warning => "warnings",
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, since the start.
    pub at: Duration,
    /// The latest block known then.
    pub block: Option<BlockNumber>,
    /// What it is about.
    pub kind: Kind,
    /// The neuron that it is about most.
    pub about: Option<Hotkey>,
    /// The text, one line.
    pub text: String,
    /// How often it was said in a row.
    pub times: u32,
}

/// The latest lines.
#[derive(Clone, Debug, Default)]
pub struct Log {
    lines: VecDeque<Line>,
}

impl Log {
    /// Adds a line; one that repeats the last is counted, not added.
    pub fn push(&mut self, mut line: Line) {
        line.text = printable(&line.text);
        if let Some(last) = self.lines.back_mut()
            && last.kind == line.kind
            && last.text == line.text
        {
            last.times = last.times.saturating_add(1);
            (last.at, last.block) = (line.at, line.block);
            return;
        }
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The lines of a kind that hold a text, oldest first.
    pub fn found(&self, kind: Option<Kind>, search: &str) -> Vec<&Line> {
        let search = search.to_lowercase();
        self.lines
            .iter()
            .filter(|line| kind.is_none_or(|kind| line.kind == kind))
            .filter(|line| search.is_empty() || line.text.to_lowercase().contains(&search))
            .collect()
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> + ExactSizeIterator {
        self.lines.iter()
    }
}

/// Text from elsewhere, made safe for a terminal and bounded.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .take(MAX_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// What a snapshot says that the one before did not.
pub(super) fn chain_news(before: Option<&Snapshot>, state: &State) -> Vec<String> {
    let (Some(before), Some(after)) = (before, &state.chain) else {
        return Vec::new();
    };
    let (before, after) = (&before.metagraph, &after.metagraph);
    let slots = |graph: &athanor_chain::Metagraph| {
        graph
            .neurons
            .iter()
            .map(|n| (n.hotkey, n.uid))
            .collect::<BTreeMap<Hotkey, _>>()
    };
    let (old, new) = (slots(before), slots(after));
    let mut news: Vec<String> = Vec::new();
    for (hotkey, uid) in old.iter().filter(|(hotkey, _)| !new.contains_key(*hotkey)) {
        news.push(format!("uid {uid} was deregistered: {}", short(hotkey)));
    }
    for hotkey in new.keys().filter(|hotkey| !old.contains_key(*hotkey)) {
        news.push(format!(
            "{} registered: {}",
            state.name(hotkey),
            short(hotkey)
        ));
    }
    if after.schedule.epoch > before.schedule.epoch {
        let paid: u64 = after
            .neurons
            .iter()
            .fold(0, |sum, neuron| sum.saturating_add(neuron.emission.0));
        let earners = after
            .neurons
            .iter()
            .filter(|neuron| neuron.emission.0 > 0)
            .count();
        news.push(format!(
            "epoch {} paid {} TAO to {earners} neurons",
            after.schedule.epoch,
            tao(Rao(paid))
        ));
    }
    news
}

/// The neuron that an event is about most: who did wrong or was judged, else who speaks.
pub(super) fn about(event: &Event) -> Hotkey {
    match event {
        Event::RoundStarted { validator, .. }
        | Event::WeightsSet { validator, .. }
        | Event::WeightsCommitted { validator, .. }
        | Event::WeightsRevealed { validator, .. }
        | Event::WeightsDue { validator, .. }
        | Event::Learnt { validator, .. }
        | Event::Collusion { validator, .. }
        | Event::Alarm { validator, .. } => *validator,
        Event::Graded { miner, .. }
        | Event::Resembles { miner, .. }
        | Event::Distilled { miner, .. }
        | Event::Swapped { miner, .. }
        | Event::RequestFailed { miner, .. }
        | Event::Asked { miner, .. }
        | Event::Answered { miner, .. }
        | Event::Opened { miner, .. }
        | Event::AskVoid { miner, .. }
        | Event::Measured { miner, .. }
        | Event::AskFailed { miner, .. } => *miner,
    }
}

/// The line for an event, if it is news. `state` is what was known before it.
pub(super) fn event_news(event: &Event, state: &State) -> Option<(Kind, String)> {
    Some(match event {
        Event::RoundStarted {
            validator,
            round,
            block,
            asks,
        } => (
            Kind::Grade,
            format!(
                "{} starts round {round}: {asks} asks, seed of block {block}",
                state.name(validator)
            ),
        ),
        Event::Graded {
            validator,
            miner,
            grade,
            ..
        } => {
            let known = state
                .peers
                .miners
                .get(miner)
                .and_then(|known| known.grades.get(validator));
            let before = known
                .and_then(|graded| graded.summary.fault.as_ref())
                .map(|fault| &fault.kind);
            let (judge, miner) = (state.name(validator), state.name(miner));
            match (&grade.fault, before) {
                (Some(fault), before) if before != Some(&fault.kind) => (
                    Kind::Fault,
                    format!(
                        "{judge} accuses {miner} of {}: {}",
                        fault.kind, fault.evidence
                    ),
                ),
                (None, Some(kind)) => (
                    Kind::Grade,
                    format!("{judge} no longer accuses {miner} of {kind}"),
                ),
                _ => return None,
            }
        }
        Event::WeightsSet {
            validator,
            epoch,
            block,
            weights,
        } => (
            Kind::Weights,
            format!(
                "{} set {} weights in block {block} for epoch {epoch}",
                state.name(validator),
                weights.len()
            ),
        ),
        Event::WeightsCommitted {
            validator,
            block,
            reveal_block,
            ..
        } => (
            Kind::Weights,
            format!(
                "{} committed weights in block {block}, to be revealed from block {reveal_block} on",
                state.name(validator)
            ),
        ),
        Event::WeightsRevealed {
            validator,
            block,
            weights: Some(count),
        } => (
            Kind::Weights,
            format!(
                "{}'s {count} committed weights are revealed in block {block}",
                state.name(validator)
            ),
        ),
        Event::WeightsRevealed {
            validator,
            weights: None,
            ..
        } => (
            Kind::Warning,
            format!(
                "{}'s committed weights were not revealed in time",
                state.name(validator)
            ),
        ),
        // There are many of them, and the grades sum them up.
        Event::Asked { .. }
        | Event::Answered { .. }
        | Event::Opened { .. }
        | Event::Measured { .. }
        | Event::Collusion { .. } => return None,
        Event::AskVoid {
            validator,
            miner,
            reason,
            ..
        } => (
            Kind::Warning,
            format!(
                "{}'s ask of {} counts for nothing: {reason}",
                state.name(validator),
                state.name(miner)
            ),
        ),
        // Countdowns change with every block.
        Event::WeightsDue { .. } => return None,
        // Once it sets weights, the weights tell.
        Event::Learnt {
            sets_weights: true, ..
        } => return None,
        Event::Learnt {
            validator,
            miners,
            known,
            miners_needed,
            asks_needed,
            ..
        } => (
            Kind::Weights,
            format!(
                "{} sets no weights yet: {known} of {miners} miners are known from {asks_needed:.0} asks, {miners_needed} must be",
                state.name(validator)
            ),
        ),
        Event::Alarm {
            validator,
            name,
            text,
            raised,
            ..
        } => (
            Kind::Warning,
            match raised {
                true => format!("{}: {name}: {text}", state.name(validator)),
                false => format!("{}: {name} is over", state.name(validator)),
            },
        ),
        // The distillation pane shows it, and every miner reports it every few seconds.
        Event::Distilled { .. } => return None,
        Event::Swapped { miner, from, to } => (
            Kind::Training,
            format!(
                "{} serves {} instead of {}",
                state.name(miner),
                to.short(),
                from.short()
            ),
        ),
        Event::Resembles {
            validator,
            miner,
            earlier,
            verdict,
            behaviour,
            ..
        } => (
            Kind::Warning,
            format!(
                "{} finds the model of {} {} that of {}: {behaviour:.3} nats apart",
                state.name(validator),
                state.name(miner),
                match verdict.as_str() {
                    "same_class" => "of one class with",
                    _ => "similar to",
                },
                state.name(earlier),
            ),
        ),
        Event::RequestFailed { miner, reason } => (
            Kind::Warning,
            format!("{} refused a request: {reason}", state.name(miner)),
        ),
        Event::AskFailed {
            validator,
            miner,
            reason,
        } => (
            Kind::Warning,
            format!(
                "{} got no answer from {}: {reason}",
                state.name(validator),
                state.name(miner)
            ),
        ),
    })
}
