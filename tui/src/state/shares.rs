//! How a miner's incentive comes about, step by step, from the votes on chain.

use athanor_spec::Uid;

use super::{State, history::weight_in};

/// One validator's part in a miner's incentive. All are shares in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The validator.
    pub validator: Uid,
    /// Its part of the stake of those that vote.
    pub stake: f64,
    /// Its weight for the miner, as a part of its row.
    pub weight: f64,
    /// The weight after clipping to the consensus.
    pub clipped: f64,
}

impl Share {
    /// What it adds to the miner's rank.
    pub fn adds(&self) -> f64 {
        self.stake * self.clipped
    }
}

/// The parts of all validators that vote, those with the most stake first, and the weight that a majority of the stake
/// agrees to. Stakes are those of now; the chain's own sum is over those of the last epoch.
pub fn shares(state: &State, uid: Uid) -> (Vec<Share>, f64) {
    let Some(chain) = &state.chain else {
        return (Vec::new(), 0.0);
    };
    let stake_of = |of: Uid| {
        let weight = chain.votes.stake_weight.get(usize::from(of.0));
        match (
            weight,
            chain.votes.stake_weight.iter().any(|share| *share > 0),
        ) {
            (Some(share), true) => f64::from(*share),
            _ => chain
                .metagraph
                .by_uid(of)
                .map_or(0.0, |it| it.stake.0 as f64),
        }
    };
    let voters: Vec<_> = chain
        .votes
        .weights
        .iter()
        .filter(|(of, _)| {
            chain
                .metagraph
                .by_uid(*of)
                .is_some_and(|it| it.validator_permit)
        })
        .collect();
    let all: f64 = voters.iter().map(|(of, _)| stake_of(*of)).sum();
    let mut parts: Vec<Share> = voters
        .iter()
        .map(|(of, row)| {
            let sum: f64 = row.iter().map(|(_, weight)| f64::from(*weight)).sum();
            let weight = f64::from(weight_in(row, uid)) / sum.max(1.0);
            Share {
                validator: *of,
                stake: stake_of(*of) / all.max(1.0),
                weight,
                clipped: weight,
            }
        })
        .collect();
    let kappa = chain
        .rules
        .kappa
        .map_or(0.5, |kappa| f64::from(kappa) / f64::from(u16::MAX));
    let consensus = consensus(&parts, kappa);
    for part in &mut parts {
        part.clipped = part.weight.min(consensus);
    }
    parts.sort_by(|a, b| {
        b.stake
            .total_cmp(&a.stake)
            .then(a.validator.cmp(&b.validator))
    });
    (parts, consensus)
}

/// The largest weight that more than `kappa` of the stake gives at least.
fn consensus(parts: &[Share], kappa: f64) -> f64 {
    let backing = |least: f64| -> f64 {
        parts
            .iter()
            .filter(|part| part.weight >= least)
            .map(|part| part.stake)
            .sum()
    };
    parts
        .iter()
        .map(|part| part.weight)
        .filter(|weight| backing(*weight) > kappa)
        .fold(0.0, f64::max)
}
