//! Hold bonds as shares of each miner (Yuma 1).

use alloc::vec;
use alloc::vec::Vec;

use super::{Averages, ColumnSums, Inputs, Smoothing, Stored, divisors, store};
use crate::fixed::Fixed;
use crate::lane::Lane;

/// Bonds to store and dividends, not yet normalised.
///
/// A validator buys bonds by weight times stake. Old bonds and bought ones are shares of their columns, and so is the
/// moving average of the two; dividends are the incentives by these shares. What is stored is scaled to the largest
/// share of each column.
pub(super) fn settle(inputs: &Inputs<'_>) -> (Vec<Vec<(u16, u16)>>, Vec<Fixed>) {
    let n = inputs.incentive.len();
    let Averages { mut rows, sums } = averages(inputs);
    let sums = sums.divisors();
    let mut dividends = vec![Fixed::ZERO; n];
    let mut largest = vec![Fixed::ZERO; n];
    for (uid, dividend) in dividends.iter_mut().enumerate() {
        for (column, value) in rows.iter_mut(uid) {
            let column = usize::from(column);
            *value = sums[column].divide(*value);
            *dividend = *dividend + inputs.incentive[column] * *value;
            largest[column] = largest[column].max(*value);
        }
    }
    let largest = divisors(&largest);
    let share = |column: u16, value| largest[usize::from(column)].divide(value).to_share();
    (store(&rows, inputs.new_permits, share), dividends)
}

/// The moving averages of old and bought bonds, as shares of their columns.
fn averages(inputs: &Inputs<'_>) -> Averages {
    let n = inputs.incentive.len();
    let stored = Stored::new(inputs);
    let smoothing = Smoothing::of(inputs.params);
    // Stored bonds count as integers here, whose unit cancels out in their share of a column.
    let unscaled = |bond: u16| Fixed::from_bits(bond.into());
    let mut old_sums = ColumnSums::new(n);
    let mut bought_sums = ColumnSums::new(n);
    for uid in 0..n {
        for (column, bond) in stored.within(uid) {
            old_sums.add(column, unscaled(bond));
        }
        let stake = inputs.active_stake[uid];
        for (column, weight) in inputs.weights.iter(uid) {
            bought_sums.add(column, weight * stake);
        }
    }
    let (old_sums, bought_sums) = (old_sums.divisors(), bought_sums.divisors());
    let mut lane = Lane::new(n);
    let mut averages = Averages::with_capacity(n, inputs.weights.entries().max(stored.entries()));
    for uid in 0..n {
        for (column, bond) in stored.within(uid) {
            lane.set_old(column, old_sums[usize::from(column)].divide(unscaled(bond)));
        }
        let stake = inputs.active_stake[uid];
        for (column, weight) in inputs.weights.iter(uid) {
            let bought = bought_sums[usize::from(column)].divide(weight * stake);
            lane.set_new(column, bought);
        }
        smoothing.blend_row(&mut lane, &mut averages);
    }
    averages
}
