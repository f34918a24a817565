//! Find the weight of each miner that most of the stake agrees to.
//!
//! The chain takes, per column, a weighted median by quickselect. Where it ends does not depend on its pivots: the
//! median is the least score `v` for which the stake of those that score `v` or less exceeds the minority, and the
//! greatest score if there is none. So columns are selected here from their scores above 0 only, with pivots of our
//! own, and all of a column's absent weights count as one score of 0.

use alloc::vec;
use alloc::vec::Vec;

use crate::fixed::{Fixed, normalise};
use crate::rows::Rows;

/// How many columns are gathered at once: their scores fit the second-level cache, and their numbers, in one row, a
/// cache line.
const BLOCK: usize = 32;

/// The consensus of each column: the stake-weighted `kappa` median of the weights of all rows with active stake.
pub(crate) fn consensus(weights: &Rows, active_stake: &[Fixed], kappa: u16) -> Vec<Fixed> {
    if !weights.is_sorted() {
        let mut sorted = weights.clone();
        sorted.sort();
        return consensus(&sorted, active_stake, kappa);
    }
    let n = active_stake.len();
    let voters: Vec<usize> = (0..n)
        .filter(|&uid| active_stake[uid] > Fixed::ZERO)
        .collect();
    let mut stake: Vec<Fixed> = voters.iter().map(|&uid| active_stake[uid]).collect();
    normalise(&mut stake);
    let total: i64 = stake.iter().map(|stake| stake.bits()).sum();
    let minority = total - Fixed::from_share(kappa).bits();
    let mut ballots: Vec<Ballot<'_>> = voters
        .iter()
        .map(|&uid| Ballot::new(weights.row(uid)))
        .collect();
    let mut block = Block::new(voters.len());
    let mut selection = Selection::default();
    let mut consensus = Vec::with_capacity(n);
    for first in (0..n).step_by(BLOCK) {
        block.gather(first, &mut ballots);
        for column in 0..BLOCK.min(n - first) {
            let scores = block.column(column);
            let scored: i64 = scores.iter().map(|score| stake[score.voter()].bits()).sum();
            let silent = total - scored;
            let all_scored = scores.len() == voters.len();
            consensus.push(if scores.is_empty() || (!all_scored && silent > minority) {
                Fixed::ZERO
            } else {
                selection.select(scores, &stake, silent, minority)
            });
        }
    }
    consensus
}

/// A weight above 0 with the rank of its voter, in one word: the score from bit 16 up, so that scores compare as such.
#[derive(Debug, Clone, Copy)]
struct Score(u64);

impl Score {
    fn new(value: Fixed, voter: u16) -> Self {
        Self((value.bits() as u64) << 16 | u64::from(voter))
    }

    fn value(self) -> u64 {
        self.0 >> 16
    }

    fn voter(self) -> usize {
        usize::from(self.0 as u16)
    }
}

/// What is left of a voter's row, columns in order.
struct Ballot<'a> {
    columns: &'a [u16],
    values: &'a [Fixed],
}

impl<'a> Ballot<'a> {
    fn new((columns, values): (&'a [u16], &'a [Fixed])) -> Self {
        Self { columns, values }
    }

    /// Takes the entries of columns below `end`.
    fn take_below(&mut self, end: usize) -> impl Iterator<Item = (u16, Fixed)> + use<'a> {
        // A row has a column once at most, so there are few to count.
        let taken = self
            .columns
            .iter()
            .take_while(|column| usize::from(**column) < end)
            .count();
        let (columns, values);
        (columns, self.columns) = self.columns.split_at(taken);
        (values, self.values) = self.values.split_at(taken);
        columns.iter().copied().zip(values.iter().copied())
    }
}

/// The scores of a few neighbouring columns, voters in order.
struct Block {
    voters: usize,
    counts: [usize; BLOCK],
    /// Room for a score per voter, for each column.
    scores: Vec<Score>,
}

impl Block {
    fn new(voters: usize) -> Self {
        Self {
            voters,
            counts: [0; BLOCK],
            scores: vec![Score(0); voters * BLOCK],
        }
    }

    /// Takes the weights above 0 of the columns from `first` on.
    fn gather(&mut self, first: usize, ballots: &mut [Ballot<'_>]) {
        self.counts = [0; BLOCK];
        for (voter, ballot) in ballots.iter_mut().enumerate() {
            for (column, value) in ballot.take_below(first + BLOCK) {
                let column = usize::from(column) - first;
                let count = &mut self.counts[column];
                if value > Fixed::ZERO && *count < self.voters {
                    self.scores[column * self.voters + *count] = Score::new(value, voter as u16);
                    *count += 1;
                }
            }
        }
    }

    fn column(&self, column: usize) -> &[Score] {
        &self.scores[column * self.voters..][..self.counts[column]]
    }
}

/// Buffers of the selection, kept from column to column.
#[derive(Default)]
struct Selection {
    part: Vec<Score>,
    lower: Vec<Score>,
    upper: Vec<Score>,
}

impl Selection {
    /// The least score for which `below`, the stake of those with a score of 0, and the stake of those that score up to
    /// it exceed the minority; the greatest score if there is none. There must be a score.
    fn select(&mut self, scores: &[Score], stake: &[Fixed], below: i64, minority: i64) -> Fixed {
        let mut below = below;
        self.part.clear();
        self.part.extend_from_slice(scores);
        loop {
            let pivot = self.pivot();
            self.lower.clear();
            self.lower.resize(self.part.len(), Score(0));
            self.upper.clear();
            self.upper.resize(self.part.len(), Score(0));
            let (mut lower, mut upper) = (0, 0);
            let (mut lower_stake, mut pivot_stake) = (0_i64, 0_i64);
            for &score in &self.part {
                let value = score.value();
                let bits = stake[score.voter()].bits();
                // Both sides are written and one advances: no branch to mispredict.
                self.lower[lower] = score;
                self.upper[upper] = score;
                lower += usize::from(value < pivot);
                upper += usize::from(value > pivot);
                lower_stake += bits * i64::from(value < pivot);
                pivot_stake += bits * i64::from(value == pivot);
            }
            if below + lower_stake > minority && lower > 0 {
                self.lower.truncate(lower);
                core::mem::swap(&mut self.part, &mut self.lower);
            } else if below + lower_stake + pivot_stake <= minority && upper > 0 {
                below += lower_stake + pivot_stake;
                self.upper.truncate(upper);
                core::mem::swap(&mut self.part, &mut self.upper);
            } else {
                return Fixed::from_bits(pivot as i64);
            }
        }
    }

    /// The median of the first, middle and last score: never the least or greatest of three different ones.
    fn pivot(&self) -> u64 {
        let len = self.part.len();
        let [a, b, c] = [0, len / 2, len - 1].map(|index| self.part[index].value());
        a.min(b).max(a.max(b).min(c))
    }
}
