//! Hold bonds as shares of each miner (Yuma 1).

use alloc::vec;
use alloc::vec::Vec;

use super::{Inputs, Smoothing, Stored, column_sums, store};
use crate::fixed::Fixed;
use crate::lane::Lane;
use crate::rows::Rows;

/// Bonds to store and dividends, not yet normalised.
///
/// A validator buys bonds by weight times stake. Old bonds and bought ones are shares of their columns, and so is the
/// moving average of the two; dividends are the incentives by these shares. What is stored is scaled to the largest
/// share of each column.
pub(super) fn settle(inputs: &Inputs<'_>) -> (Vec<Vec<(u16, u16)>>, Vec<Fixed>) {
    let n = inputs.incentive.len();
    let mut averages = averages(inputs);
    let sums = column_sums(&averages, n);
    let mut dividends = vec![Fixed::ZERO; n];
    let mut largest = vec![Fixed::ZERO; n];
    for (uid, dividend) in dividends.iter_mut().enumerate() {
        for (column, value) in averages.iter_mut(uid) {
            let column = usize::from(column);
            *value = *value / sums[column];
            *dividend = *dividend + inputs.incentive[column] * *value;
            largest[column] = largest[column].max(*value);
        }
    }
    for uid in (0..n).filter(|&uid| inputs.new_permits[uid]) {
        for (column, value) in averages.iter_mut(uid) {
            let largest = largest[usize::from(column)];
            if largest > Fixed::ZERO {
                *value = *value / largest;
            }
        }
    }
    (store(&averages, inputs.new_permits), dividends)
}

/// The moving averages of old and bought bonds, as shares of their columns.
fn averages(inputs: &Inputs<'_>) -> Rows {
    let n = inputs.incentive.len();
    let stored = Stored::new(inputs);
    let smoothing = Smoothing::of(inputs.params);
    // Stored bonds count as integers here, whose unit cancels out in their share of a column.
    let mut old_sums = vec![0_u64; n];
    let mut bought_sums = vec![Fixed::ZERO; n];
    for uid in 0..n {
        for (column, bond) in stored.within(uid) {
            old_sums[usize::from(column)] += u64::from(bond);
        }
        let stake = inputs.active_stake[uid];
        for (column, weight) in inputs.weights.iter(uid) {
            let sum = &mut bought_sums[usize::from(column)];
            *sum = *sum + weight * stake;
        }
    }
    let mut lane = Lane::new(n);
    let mut rows = Rows::with_capacity(n, inputs.weights.entries().max(stored.entries()));
    for uid in 0..n {
        for (column, bond) in stored.within(uid) {
            let share = Fixed::from_ratio(bond.into(), old_sums[usize::from(column)]);
            lane.set_old(column, share);
        }
        let stake = inputs.active_stake[uid];
        for (column, weight) in inputs.weights.iter(uid) {
            lane.set_new(column, weight * stake / bought_sums[usize::from(column)]);
        }
        smoothing.blend_row(&mut lane, &mut rows);
        rows.end_row();
    }
    rows
}
