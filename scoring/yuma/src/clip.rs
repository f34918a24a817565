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
    let n = consensus.len();
    let mut trust = vec![Fixed::ZERO; n];
    let mut rank = vec![Fixed::ZERO; n];
    for uid in 0..n {
        let stake = active_stake[uid];
        let mut sum = Fixed::ZERO;
        for (column, weight) in weights.iter(uid) {
            let column = usize::from(column);
            let clipped = weight.min(consensus[column]);
            sum = sum + clipped;
            rank[column] = rank[column] + stake * clipped;
        }
        trust[uid] = sum;
    }
    let bond_weights = match penalty {
        Fixed::ZERO => weights,
        Fixed::ONE => follow_clipped(&weights, consensus),
        _ => follow_between(&weights, consensus, penalty),
    };
    Clipped {
        trust,
        rank,
        bond_weights,
    }
}

/// The clipped weights in stored order. A weight above a consensus of 0 is gone; a weight of 0 stays.
fn follow_clipped(weights: &Rows, consensus: &[Fixed]) -> Rows {
    let n = consensus.len();
    let mut rows = Rows::with_capacity(n, weights.entries());
    for uid in 0..n {
        for (column, weight) in weights.iter(uid) {
            let limit = consensus[usize::from(column)];
            if weight <= limit || limit > Fixed::ZERO {
                rows.push(column, weight.min(limit));
            }
        }
        rows.end_row();
    }
    rows
}

/// Weights between those set and the clipped ones, by column; weights of 0 are gone.
fn follow_between(weights: &Rows, consensus: &[Fixed], penalty: Fixed) -> Rows {
    let n = consensus.len();
    let mut rows = Rows::with_capacity(n, weights.entries());
    let mut row = Vec::new();
    for uid in 0..n {
        row.clear();
        row.extend(weights.iter(uid));
        if !row.is_sorted_by_key(|&(column, _)| column) {
            row.sort_by_key(|&(column, _)| column);
        }
        for &(column, weight) in &row {
            let clipped = weight.min(consensus[usize::from(column)]);
            let value = weight + penalty * (clipped - weight);
            if value > Fixed::ZERO {
                rows.push(column, value);
            }
        }
        rows.end_row();
    }
    rows
}
