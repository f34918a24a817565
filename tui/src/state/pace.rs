//! How fast blocks come, measured from their arrival.

use std::{collections::VecDeque, time::Duration};

use athanor_spec::BlockNumber;

/// Arrivals that the measured block time is taken over: enough to even out jitter, few enough to follow a change.
const SAMPLES: usize = 16;

/// Recent arrivals of blocks.
#[derive(Clone, Debug)]
pub struct Pace {
    nominal: Option<Duration>,
    arrivals: VecDeque<(BlockNumber, Duration)>,
}

impl Pace {
    /// No block arrived yet; `nominal` is what the block time should be, if known.
    pub fn new(nominal: Option<Duration>) -> Self {
        Self {
            nominal,
            arrivals: VecDeque::with_capacity(SAMPLES),
        }
    }

    /// The pace of a chain that starts over: its blocks are numbered anew.
    pub fn restarted(&self) -> Self {
        Self::new(self.nominal)
    }

    /// A block arrived.
    pub fn block(&mut self, number: BlockNumber, at: Duration) {
        if self
            .arrivals
            .back()
            .is_some_and(|(last, _)| number <= *last)
        {
            return;
        }
        if self.arrivals.len() == SAMPLES {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back((number, at));
    }

    /// When the latest block arrived.
    pub fn last_block_at(&self) -> Option<Duration> {
        self.arrivals.back().map(|(_, at)| *at)
    }

    /// Time between blocks: measured from two arrivals on, nominal before.
    pub fn block_time(&self) -> Option<Duration> {
        match (self.arrivals.front(), self.arrivals.back()) {
            (Some((first, start)), Some((last, end))) if last > first => {
                Some((*end - *start) / (last.0 - first.0))
            }
            _ => self.nominal,
        }
    }

    /// Time until `blocks` more blocks, counted from `now`.
    pub fn time_for(&self, blocks: u32, now: Duration) -> Option<Duration> {
        let last = self.last_block_at().unwrap_or(now);
        Some((self.block_time()? * blocks).saturating_sub(now.saturating_sub(last)))
    }
}
