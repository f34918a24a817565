//! Clip weights to the consensus, and rank miners by what remains.

use alloc::vec;
use alloc::vec::Vec;

use crate::fixed::Fixed;
use crate::rows::Rows;

/// What follows from the clipped weights.
pub(crate) struct Clipped {
    /// Per validator: the sum of its clipped weights.
    pub(crate) trust: Vec<Fixed>,
    /// Per miner: the sum of its clipped weights by stake.
    pub(crate) rank: Vec<Fixed>,
    /// The weights that bonds follow.
    pub(crate) bond_weights: Rows,
}

/// Limits each weight to the consensus. `penalty` is the share of the way from the weights as set to the clipped ones
/// that the weights for bonds go.
pub(crate) fn clip(
    weights: Rows,
    consensus: &[Fixed],
    active_stake: &[Fixed],
    penalty: Fixed,
) -> Clipped {
    let mut bond_weights = weights;
    let mut trust = vec![Fixed::ZERO; consensus.len()];
    let mut rank = vec![Fixed::ZERO; consensus.len()];
    let mut count = |uid: usize, column: u16, weight: Fixed| {
        let column = usize::from(column);
        let limit = consensus[column];
        let clipped = weight.min(limit);
        trust[uid] = trust[uid] + clipped;
        rank[column] = rank[column] + active_stake[uid] * clipped;
        (clipped, limit)
    };
    match penalty {
        Fixed::ZERO => bond_weights.replace(|uid, column, weight| {
            count(uid, column, weight);
            Some(weight)
        }),
        // A weight above a consensus of 0 is gone; a weight of 0 stays.
        Fixed::ONE => bond_weights.replace(|uid, column, weight| {
            let (clipped, limit) = count(uid, column, weight);
            (weight <= limit || limit > Fixed::ZERO).then_some(clipped)
        }),
        // The chain goes through the columns in order here, and drops weights of 0.
        _ => {
            bond_weights.sort();
            bond_weights.replace(|uid, column, weight| {
                let (clipped, _) = count(uid, column, weight);
                let value = weight + penalty * (clipped - weight);
                (value > Fixed::ZERO).then_some(value)
            });
        }
    }
    Clipped {
        trust,
        rank,
        bond_weights,
    }
}
