//! Move bonds towards the weights and pay dividends on them.
//!
//! Bonds are what a validator keeps of having weighed a miner early. [`classic`] holds them as shares of a miner among
//! its validators (Yuma 1), [`paired`] as one moving average per pair of validator and miner (Yuma 3).

use alloc::vec;
use alloc::vec::Vec;

use crate::fixed::{Divisor, Fixed, normalise};
use crate::lane::Lane;
use crate::params::Params;
use crate::rows::Rows;
use crate::state::State;

mod classic;
mod liquid;
mod paired;

/// Bonds to store and dividends to pay.
pub(crate) struct Settled {
    /// Rows of shares for the UIDs with a new permit.
    pub(crate) rows: Vec<Vec<(u16, u16)>>,
    /// Shares of the dividends, normalised.
    pub(crate) dividends: Vec<Fixed>,
}

/// What the bonds of an epoch follow from.
pub(crate) struct Inputs<'a> {
    pub(crate) params: &'a Params,
    pub(crate) state: &'a State<'a>,
    /// Registration block per UID.
    pub(crate) registered: &'a [u64],
    /// The weights that bonds follow.
    pub(crate) weights: &'a Rows,
    pub(crate) consensus: &'a [Fixed],
    pub(crate) incentive: &'a [Fixed],
    pub(crate) active_stake: &'a [Fixed],
    /// Permits for the next epoch.
    pub(crate) new_permits: &'a [bool],
}

/// Settles the bonds of the epoch under the rules of the subnet.
pub(crate) fn settle(inputs: &Inputs<'_>) -> Settled {
    let (rows, mut dividends) = match inputs.params.yuma3 {
        true => paired::settle(inputs),
        false => classic::settle(inputs),
    };
    normalise(&mut dividends);
    Settled { rows, dividends }
}

/// The stored bonds, without those on UIDs that registered since the previous epoch.
struct Stored<'a> {
    rows: &'a [Vec<(u16, u16)>],
    registered: &'a [u64],
    /// Bonds on UIDs that registered before this block are kept.
    since: u64,
}

impl<'a> Stored<'a> {
    fn new(inputs: &Inputs<'a>) -> Self {
        let state = inputs.state;
        // The previous epoch saw registrations up to its own block.
        let since = match state.last_mechanism_step_block {
            0 => state.block.saturating_sub(inputs.params.tempo.into()),
            block => block.saturating_add(1),
        };
        Self {
            rows: state.bonds,
            registered: inputs.registered,
            since,
        }
    }

    /// The bonds of one UID in stored order. Those on UIDs beyond the subnet, which count as registered at 0, are among
    /// them.
    fn row(&self, uid: usize) -> impl Iterator<Item = (u16, u16)> + '_ {
        let row = self.rows.get(uid).map_or(&[][..], Vec::as_slice);
        let kept = |target: &u16| {
            self.since
                > self
                    .registered
                    .get(usize::from(*target))
                    .copied()
                    .unwrap_or(0)
        };
        row.iter().copied().filter(move |(target, _)| kept(target))
    }

    /// The bonds of one UID on UIDs of the subnet.
    fn within(&self, uid: usize) -> impl Iterator<Item = (u16, u16)> + '_ {
        let n = self.registered.len();
        self.row(uid)
            .filter(move |(target, _)| usize::from(*target) < n)
    }

    /// How many entries there are at most in the rows of the subnet.
    fn entries(&self) -> usize {
        self.rows
            .iter()
            .take(self.registered.len())
            .map(Vec::len)
            .sum()
    }
}

/// Weights of new and old bonds in the moving average.
struct Smoothing {
    new: Fixed,
    old: Fixed,
}

impl Smoothing {
    /// The constant smoothing of a subnet: the moving average in millionths is the weight of the old bonds.
    fn of(params: &Params) -> Self {
        let kept = (u128::from(params.bonds_moving_average) << 32) / 1_000_000;
        // As a number of the chain's it ends at 2^63.
        let kept = match params.bonds_moving_average {
            millionths if millionths >= 1 << 63 => (i128::MAX as u128 / 1_000_000) >> 32,
            _ => kept,
        };
        let kept = Fixed::from_bits(i64::try_from(kept).unwrap_or(i64::MAX));
        let new = Fixed::ONE - kept;
        Self {
            new,
            old: Fixed::ONE - new,
        }
    }

    fn blend(&self, new: Fixed, old: Fixed) -> Fixed {
        self.new * new + self.old * old
    }

    /// Appends the moving averages of one row, by column, as far as they are above 0.
    fn blend_row(&self, lane: &mut Lane, averages: &mut Averages) {
        lane.drain(|column, new, old| {
            let value = self.blend(new, old);
            if value > Fixed::ZERO {
                averages.push(column, value);
            }
        });
        averages.rows.end_row();
    }
}

/// Moving averages of all pairs.
struct Averages {
    rows: Rows,
    sums: ColumnSums,
}

impl Averages {
    fn with_capacity(n: usize, entries: usize) -> Self {
        Self {
            rows: Rows::with_capacity(n, entries),
            sums: ColumnSums::new(n),
        }
    }

    fn push(&mut self, column: u16, value: Fixed) {
        self.rows.push(column, value);
        self.sums.add(column, value);
    }
}

/// Sums of the columns of some rows.
struct ColumnSums(Vec<Fixed>);

impl ColumnSums {
    fn new(columns: usize) -> Self {
        Self(vec![Fixed::ZERO; columns])
    }

    fn add(&mut self, column: u16, value: Fixed) {
        let sum = &mut self.0[usize::from(column)];
        *sum = *sum + value;
    }

    /// The sum of each column, to divide its values by. A column that sums up to 0 has no value but 0.
    fn divisors(&self) -> Vec<Divisor> {
        divisors(&self.0)
    }
}

fn divisors(numbers: &[Fixed]) -> Vec<Divisor> {
    numbers.iter().copied().map(Divisor::new).collect()
}

/// Bond rows as the chain stores them, in the rows of the UIDs with a permit: `share` turns the value of a column into
/// what is stored.
fn store(rows: &Rows, permits: &[bool], share: impl Fn(u16, Fixed) -> u16) -> Vec<Vec<(u16, u16)>> {
    permits
        .iter()
        .enumerate()
        .map(|(uid, permit)| match permit {
            true => rows
                .iter(uid)
                .map(|(column, value)| (column, share(column, value)))
                .collect(),
            false => Vec::new(),
        })
        .collect()
}
