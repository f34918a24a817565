//! Smooth the bond of each pair by how far its weight is from the consensus (liquid alpha).

use alloc::vec;

use super::{Averages, Inputs, Stored};
use crate::exponential::exp;
use crate::fixed::Fixed;
use crate::params::LiquidAlpha;

/// Moving averages in the order of the weights. A bond without a weight is dropped, not decayed.
///
/// The chain looks weight and bond of a pair up with a cursor per row that skips lower columns only: in a row that is
/// not sorted, an entry behind a larger column is not seen and reads as 0. That holds for the smoothing factor; the
/// moving average itself takes the true values.
pub(super) fn averages(range: &LiquidAlpha, inputs: &Inputs<'_>, stored: &Stored<'_>) -> Averages {
    let n = inputs.incentive.len();
    let curve = Curve::new(range);
    let mut averages = Averages::with_capacity(n, inputs.weights.entries());
    let mut bonds = vec![Fixed::ZERO; n];
    let mut hidden = vec![false; n];
    for uid in 0..n {
        let mut cursor = Cursor::default();
        let mut any_hidden = false;
        for (column, bond) in stored.row(uid) {
            let seen = cursor.sees(column);
            let column = usize::from(column);
            if column < n {
                bonds[column] = Fixed::from_share(bond);
                hidden[column] = !seen;
                any_hidden |= !seen;
            }
        }
        let mut cursor = Cursor::default();
        for (column, weight) in inputs.weights.iter(uid) {
            let seen_weight = match cursor.sees(column) {
                true => weight,
                false => Fixed::ZERO,
            };
            let index = usize::from(column);
            let bond = bonds[index];
            let seen_bond = match any_hidden && hidden[index] {
                true => Fixed::ZERO,
                false => bond,
            };
            let alpha = curve.alpha(seen_weight, seen_bond, inputs.consensus[index]);
            let risen = (alpha * weight).max(Fixed::ZERO);
            let value = ((Fixed::ONE - alpha) * bond + risen).min(Fixed::ONE);
            if value > Fixed::ZERO {
                averages.push(column, value);
            }
        }
        averages.rows.end_row();
        for (column, _) in stored.within(uid) {
            bonds[usize::from(column)] = Fixed::ZERO;
            hidden[usize::from(column)] = false;
        }
    }
    averages
}

/// Which columns of a row a cursor sees that passes lower columns and stops at higher ones.
#[derive(Default)]
struct Cursor {
    /// Columns below this one are behind the cursor.
    next: u32,
}

impl Cursor {
    /// Whether the cursor sees the next entry of the row.
    fn sees(&mut self, column: u16) -> bool {
        let seen = u32::from(column) >= self.next;
        if seen {
            self.next = u32::from(column) + 1;
        }
        seen
    }
}

/// The sigmoid from a pair's distance to its smoothing factor.
struct Curve {
    low: Fixed,
    high: Fixed,
    /// Slope, negated for the exponent.
    slope: Fixed,
    /// The factor at distance 0, which most pairs have.
    at_zero: Fixed,
}

impl Curve {
    fn new(range: &LiquidAlpha) -> Self {
        let mut curve = Self {
            low: Fixed::from_share(range.low),
            high: Fixed::from_share(range.high),
            slope: Fixed::from_bits(-(i64::from(range.steepness) << 32) / 100),
            at_zero: Fixed::ZERO,
        };
        curve.at_zero = curve.at(Fixed::ZERO);
        curve
    }

    /// How much of the new weight a pair takes: the more, the further the weight is above the consensus, or below the
    /// bond.
    fn alpha(&self, weight: Fixed, bond: Fixed, consensus: Fixed) -> Fixed {
        let distance = match weight >= bond {
            true => weight - consensus,
            false => bond - weight,
        };
        let distance = distance.clamp_to(Fixed::ZERO, Fixed::ONE);
        match distance {
            Fixed::ZERO => self.at_zero,
            distance => self.at(distance),
        }
    }

    fn at(&self, distance: Fixed) -> Fixed {
        const HALF: Fixed = Fixed::from_bits(1 << 31);
        let sigmoid = Fixed::ONE / (Fixed::ONE + exp(self.slope * (distance - HALF)));
        (self.low + sigmoid * (self.high - self.low)).clamp_to(self.low, self.high)
    }
}
