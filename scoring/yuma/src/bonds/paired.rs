//! Hold bonds as one moving average per pair (Yuma 3).

use alloc::vec;
use alloc::vec::Vec;

use super::{Inputs, Smoothing, Stored, column_sums, liquid, store};
use crate::fixed::Fixed;
use crate::lane::Lane;
use crate::rows::Rows;

/// Bonds to store and dividends, not yet normalised.
///
/// The bond of a pair follows the validator's weight. Bonds are shares of their columns only for the dividends, which
/// are the incentives by these shares, times the stake of the validator.
pub(super) fn settle(inputs: &Inputs<'_>) -> (Vec<Vec<(u16, u16)>>, Vec<Fixed>) {
    let n = inputs.incentive.len();
    let stored = Stored::new(inputs);
    let agreed = inputs.consensus.iter().any(|value| *value != Fixed::ZERO);
    let averages = match &inputs.params.liquid_alpha {
        Some(range) if agreed => liquid::averages(range, inputs, &stored),
        _ => averages(inputs, &stored),
    };
    let sums = column_sums(&averages, n);
    let mut dividends = vec![Fixed::ZERO; n];
    for (uid, dividend) in dividends.iter_mut().enumerate() {
        let earned: Fixed = averages
            .iter(uid)
            .map(|(column, value)| {
                let column = usize::from(column);
                value / sums[column] * inputs.incentive[column]
            })
            .sum();
        *dividend = earned * inputs.active_stake[uid];
    }
    (store(&averages, inputs.new_permits), dividends)
}

/// Moving averages with one smoothing for all pairs.
fn averages(inputs: &Inputs<'_>, stored: &Stored<'_>) -> Rows {
    let n = inputs.incentive.len();
    let smoothing = Smoothing::of(inputs.params);
    let mut lane = Lane::new(n);
    let mut rows = Rows::with_capacity(n, inputs.weights.entries().max(stored.entries()));
    for uid in 0..n {
        for (column, bond) in stored.within(uid) {
            lane.set_old(column, Fixed::from_share(bond));
        }
        for (column, weight) in inputs.weights.iter(uid) {
            lane.set_new(column, weight);
        }
        smoothing.blend_row(&mut lane, &mut rows);
        rows.end_row();
    }
    rows
}
