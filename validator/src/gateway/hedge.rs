//! When a second miner is asked beside one that is slow, and how often that may happen.
//!
//! A request whose first token has not come within a quantile of the times of the latest first tokens is asked of one more
//! miner, and the first to speak is heard to the end. What that costs is bounded: each request earns a share of a hedge, and
//! a hedge is taken only when a whole one has been earned.

use std::{collections::VecDeque, time::Duration};

/// First tokens that the quantile is taken over.
const WINDOW: usize = 256;
/// First tokens that must have been seen before there is a quantile.
const ENOUGH: usize = 16;
/// Hedges that may be saved up for a bad moment.
const MOST_SAVED: f64 = 8.0;
/// Shortest wait: below it a second ask costs more than it saves.
const SHORTEST: Duration = Duration::from_millis(20);

/// When to hedge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HedgeParams {
    /// Quantile of the times to the first token, in (0, 1).
    pub quantile: f64,
    /// Hedges per request at most, in the long run; 0 switches them off.
    pub share: f64,
}

/// What was seen, and what has been earned.
#[derive(Clone, Debug)]
pub(crate) struct Hedges {
    params: HedgeParams,
    first_tokens: VecDeque<Duration>,
    earned: f64,
}

impl Hedges {
    /// Nothing seen, nothing earned.
    pub(crate) fn new(params: HedgeParams) -> Self {
        Self {
            params,
            first_tokens: VecDeque::with_capacity(WINDOW),
            earned: 0.0,
        }
    }

    /// A request begins: it earns its share, and is told after which time a second miner should be asked; `None`: never.
    pub(crate) fn begin(&mut self) -> Option<Duration> {
        self.earned = (self.earned + self.params.share).min(MOST_SAVED);
        if self.params.share <= 0.0 || self.first_tokens.len() < ENOUGH {
            return None;
        }
        let mut sorted: Vec<Duration> = self.first_tokens.iter().copied().collect();
        sorted.sort_unstable();
        let place = (sorted.len() as f64 * self.params.quantile) as usize;
        let after = sorted[place.min(sorted.len() - 1)];
        Some(after.max(SHORTEST))
    }

    /// Whether a hedge may be taken now; it is then paid for.
    pub(crate) fn take(&mut self) -> bool {
        let affordable = self.earned >= 1.0;
        if affordable {
            self.earned -= 1.0;
        }
        affordable
    }

    /// A first token came after this time.
    pub(crate) fn saw(&mut self, first_token: Duration) {
        if self.first_tokens.len() == WINDOW {
            self.first_tokens.pop_front();
        }
        self.first_tokens.push_back(first_token);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_wait_is_the_quantile_of_what_was_seen() {
        let mut hedges = Hedges::new(HedgeParams {
            quantile: 0.95,
            share: 0.1,
        });
        assert_eq!(hedges.begin(), None, "nothing was seen yet");
        for millis in 1..=100 {
            hedges.saw(Duration::from_millis(millis));
        }
        assert_eq!(hedges.begin(), Some(Duration::from_millis(96)));
        for _ in 0..WINDOW {
            hedges.saw(Duration::from_millis(1));
        }
        assert_eq!(
            hedges.begin(),
            Some(SHORTEST),
            "the old times are forgotten"
        );
    }

    #[test]
    fn without_a_share_nobody_hedges() {
        let mut hedges = Hedges::new(HedgeParams {
            quantile: 0.95,
            share: 0.0,
        });
        for _ in 0..100 {
            hedges.saw(Duration::from_millis(5));
            assert_eq!(hedges.begin(), None);
            assert!(!hedges.take());
        }
    }

    proptest! {
        #[test]
        fn hedges_stay_within_their_share_whenever_they_are_wanted(
            wanted in prop::collection::vec(any::<bool>(), 0..2000),
            share in 0.0..0.5_f64,
        ) {
            let mut hedges = Hedges::new(HedgeParams { quantile: 0.9, share });
            let mut taken = 0.0;
            for (requests, want) in wanted.iter().enumerate() {
                hedges.begin();
                if *want && hedges.take() {
                    taken += 1.0;
                }
                prop_assert!(taken <= share * (requests + 1) as f64 + 1e-6);
            }
        }
    }
}
