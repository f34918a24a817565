//! Hold bonds as one moving average per pair (Yuma 3).

use alloc::vec;
use alloc::vec::Vec;

use super::{Averages, Inputs, Smoothing, Stored, liquid, store};
use crate::fixed::Fixed;
use crate::lane::Lane;

/// Bonds to store and dividends, not yet normalised.
///
/// The bond of a pair follows the validator's weight. Bonds are shares of their columns only for the dividends, which
/// are the incentives by these shares, times the stake of the validator.
pub(super) fn settle(inputs: &Inputs<'_>) -> (Vec<Vec<(u16, u16)>>, Vec<Fixed>) {
    let n = inputs.incentive.len();
    let stored = Stored::new(inputs);
    let agreed = inputs.consensus.iter().any(|value| *value != Fixed::ZERO);
    let Averages { rows, sums } = match &inputs.params.liquid_alpha {
        Some(range) if agreed => liquid::averages(range, inputs, &stored),
        _ => averages(inputs, &stored),
    };
    let sums = sums.divisors();
    let mut dividends = vec![Fixed::ZERO; n];
    for (uid, dividend) in dividends.iter_mut().enumerate() {
        let earned: Fixed = rows
            .iter(uid)
            .map(|(column, value)| {
                let column = usize::from(column);
                sums[column].divide(value) * inputs.incentive[column]
            })
            .sum();
        *dividend = earned * inputs.active_stake[uid];
    }
    let share = |_, value: Fixed| value.to_share();
    (store(&rows, inputs.new_permits, share), dividends)
}

/// Moving averages with one smoothing for all pairs.
fn averages(inputs: &Inputs<'_>, stored: &Stored<'_>) -> Averages {
    let n = inputs.incentive.len();
    let smoothing = Smoothing::of(inputs.params);
    let mut lane = Lane::new(n);
    let mut averages = Averages::with_capacity(n, inputs.weights.entries().max(stored.entries()));
    for uid in 0..n {
        for (column, bond) in stored.within(uid) {
            lane.set_old(column, Fixed::from_share(bond));
        }
        for (column, weight) in inputs.weights.iter(uid) {
            lane.set_new(column, weight);
        }
        smoothing.blend_row(&mut lane, &mut averages);
    }
    averages
}
