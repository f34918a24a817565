//! Say whether a validator knows enough of the miners to set weights.
//!
//! A validator that is new, or comes back after a long time, would spread noise over the miners and disagree with everybody:
//! it sets no weights before at least half of the miners that it asks have shown something in half of the asks, or more, that
//! a round opens.
//! Evidence fades like the grades do, so that what was seen long ago counts for little.

use athanor_spec::{Account, SubnetSpec, params::RoundParams};
use serde::{Deserialize, Serialize};

use crate::{ledger::Record, round::Ledger};

/// How much a validator knows, and how much it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Readiness {
    /// Miners that are asked.
    pub miners: u32,
    /// Those with [`Self::asks_needed`] effective asks or more, or with a fault.
    pub known: u32,
    /// Miners of whom so much must be known.
    pub miners_needed: u32,
    /// Effective asks (the Kish size of the faded ones that were opened) that it takes to know a miner.
    pub asks_needed: f64,
}

impl Readiness {
    /// From the effective asks of every miner that is asked ([`crate::ledger::Record::effective_asks`]).
    fn of(effective_asks: impl IntoIterator<Item = f64>, params: &RoundParams) -> Self {
        let mut readiness = Self {
            asks_needed: (f64::from(params.asks_per_miner) * params.opening_share / 2.0).max(1.0),
            ..Self::default()
        };
        for asks in effective_asks {
            readiness.miners += 1;
            readiness.known += u32::from(asks >= readiness.asks_needed);
        }
        readiness.miners_needed = readiness.miners.div_ceil(2).max(1);
        readiness
    }

    /// What a ledger knows of the miners that are asked.
    ///
    /// A miner with a fault is known, however little it answered: else those whose checkpoints cannot be served would keep a
    /// validator from setting weights by their number alone.
    pub fn of_miners<'a>(
        ledger: &Ledger,
        miners: impl IntoIterator<Item = &'a Account>,
        spec: &SubnetSpec,
    ) -> Self {
        let asks = |record: &Record| match record.fault(&spec.audit) {
            Some(_) => f64::INFINITY,
            None => record.effective_asks(),
        };
        let known = |miner| ledger.records().get(miner).map_or(0.0, asks);
        Self::of(miners.into_iter().map(known), &spec.round)
    }

    /// Whether weights are set on it.
    pub fn is_enough(&self) -> bool {
        self.known >= self.miners_needed
    }
}

impl std::fmt::Display for Readiness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} of {} miners have shown something in {:.0} asks or more; weights are set from {} on",
            self.known, self.miners, self.asks_needed, self.miners_needed
        )
    }
}

#[cfg(test)]
mod tests {
    use athanor_spec::SubnetSpec;
    use proptest::prelude::*;

    use super::*;

    fn params(asks_per_miner: u32) -> RoundParams {
        RoundParams {
            asks_per_miner,
            ..SubnetSpec::local().round
        }
    }

    #[test]
    fn half_a_round_of_half_of_the_miners_is_enough() {
        let enough = |asks: &[f64]| Readiness::of(asks.iter().copied(), &params(24)).is_enough();
        assert!(!enough(&[]));
        assert!(!enough(&[0.0; 8]));
        assert!(!enough(&[11.9; 8]));
        assert!(enough(&[12.0, 12.0, 0.0, 0.0]));
        assert!(!enough(&[12.0, 12.0, 0.0, 0.0, 0.0]));
        assert!(enough(&[12.0]));
    }

    #[test]
    fn it_is_said_in_one_sentence() {
        let readiness = Readiness::of([12.0, 3.0, 0.0], &params(24));
        assert_eq!(
            readiness.to_string(),
            "1 of 3 miners have shown something in 12 asks or more; weights are set from 2 on"
        );
    }

    proptest! {
        #[test]
        fn more_evidence_never_takes_the_right_to_set_weights(
            asks in proptest::collection::vec(0.0..60.0_f64, 1..40),
            more in 0.0..60.0_f64,
            whose in any::<prop::sample::Index>(),
        ) {
            let before = Readiness::of(asks.iter().copied(), &params(24));
            let mut after = asks.clone();
            after[whose.index(asks.len())] += more;
            let after = Readiness::of(after, &params(24));
            prop_assert!(after.is_enough() || !before.is_enough());
        }
    }
}
