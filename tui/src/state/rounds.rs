//! A validator's round as it goes: what was asked, what came back, what was opened.

use std::{collections::BTreeMap, time::Duration};

use athanor_spec::{BlockNumber, Hotkey, Round};

/// Asks remembered as under way at most; a validator has far fewer at a time.
const MAX_IN_FLIGHT: usize = 4096;
/// Miners counted at most per round.
const MAX_MINERS: usize = super::telemetry::MAX_HOTKEYS;

/// A round.
#[derive(Clone, Debug)]
pub struct LiveRound {
    /// Its number.
    pub round: Round,
    /// The block whose hash seeds it.
    pub block: BlockNumber,
    /// Asks planned.
    pub planned: u32,
    /// When it began, since the start.
    pub since: Duration,
    /// Asks under way: the miner, which of its asks, since when.
    pub in_flight: BTreeMap<(Hotkey, u32), Duration>,
    /// What became of all asks.
    pub total: Tally,
    /// What became of the asks of each miner.
    pub miners: BTreeMap<Hotkey, Tally>,
}

/// What became of some asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Sent.
    pub asked: u32,
    /// Answered.
    pub answered: u32,
    /// Replayed.
    pub opened: u32,
    /// Without an answer.
    pub failed: u32,
    /// Counting for nothing, for trouble of the validator's own.
    pub void: u32,
    /// Tokens replayed that say something.
    pub tokens: u64,
    /// Those that the checkpoint would not have drawn.
    pub strays: u64,
}

/// What happened to an ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Asked,
    Answered,
    Opened { tokens: u32, strays: u32 },
    Failed,
    Void,
}

impl LiveRound {
    pub(super) fn new(round: Round, block: BlockNumber, planned: u32, since: Duration) -> Self {
        Self {
            round,
            block,
            planned,
            since,
            in_flight: BTreeMap::new(),
            total: Tally::default(),
            miners: BTreeMap::new(),
        }
    }

    /// Takes in a step; `index` is unknown for failures, which then end the oldest ask of the miner.
    pub(super) fn step(&mut self, miner: Hotkey, index: Option<u32>, step: Step, now: Duration) {
        self.total.step(step);
        if self.miners.len() < MAX_MINERS || self.miners.contains_key(&miner) {
            self.miners.entry(miner).or_default().step(step);
        }
        match (step, index) {
            (Step::Asked, Some(index)) if self.in_flight.len() < MAX_IN_FLIGHT => {
                self.in_flight.insert((miner, index), now);
            }
            (Step::Answered | Step::Void, Some(index)) => {
                self.in_flight.remove(&(miner, index));
            }
            (Step::Failed, _) => {
                let oldest = self
                    .in_flight
                    .range((miner, 0)..=(miner, u32::MAX))
                    .min_by_key(|(_, since)| **since)
                    .map(|(key, _)| *key);
                if let Some(key) = oldest {
                    self.in_flight.remove(&key);
                }
            }
            _ => {}
        }
    }

    /// Asks of a miner under way.
    pub fn in_flight_of(&self, miner: &Hotkey) -> usize {
        self.in_flight
            .range((*miner, 0)..=(*miner, u32::MAX))
            .count()
    }
}

impl Tally {
    fn step(&mut self, step: Step) {
        match step {
            Step::Asked => self.asked += 1,
            Step::Answered => self.answered += 1,
            Step::Failed => self.failed += 1,
            Step::Void => self.void += 1,
            Step::Opened { tokens, strays } => {
                self.opened += 1;
                self.tokens += u64::from(tokens);
                self.strays += u64::from(strays);
            }
        }
    }

    /// Share of the replayed tokens that the checkpoint would not have drawn.
    pub fn stray_share(&self) -> Option<f64> {
        (self.tokens > 0).then(|| self.strays as f64 / self.tokens as f64)
    }
}
