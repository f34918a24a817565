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

/// The consensus of each column: the stake-weighted `kappa` median of the weights of all rows with active stake.
pub(crate) fn consensus(weights: &Rows, active_stake: &[Fixed], kappa: u16) -> Vec<Fixed> {
    let n = active_stake.len();
    let voters: Vec<usize> = (0..n)
        .filter(|&uid| active_stake[uid] > Fixed::ZERO)
        .collect();
    let mut stake: Vec<Fixed> = voters.iter().map(|&uid| active_stake[uid]).collect();
    normalise(&mut stake);
    let total: i64 = stake.iter().map(|stake| stake.bits()).sum();
    let minority = total - Fixed::from_share(kappa).bits();
    let columns = Columns::new(weights, &voters, n);
    let mut selection = Selection::default();
    (0..n)
        .map(|column| {
            let scores = columns.column(column);
            let scored: i64 = scores.iter().map(|score| stake[score.voter()].bits()).sum();
            let silent = total - scored;
            let all_scored = scores.len() == voters.len();
            if scores.is_empty() || (!all_scored && silent > minority) {
                Fixed::ZERO
            } else {
                selection.select(scores, &stake, silent, minority)
            }
        })
        .collect()
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

/// The scores of each column, voters in order.
struct Columns {
    /// Where each column ends in `scores`.
    ends: Vec<usize>,
    scores: Vec<Score>,
}

impl Columns {
    fn new(weights: &Rows, voters: &[usize], n: usize) -> Self {
        let mut ends = vec![0_usize; n + 1];
        for &uid in voters {
            for (column, value) in weights.iter(uid) {
                ends[usize::from(column)] += usize::from(value > Fixed::ZERO);
            }
        }
        let mut start = 0;
        for end in &mut ends {
            start += core::mem::replace(end, start);
        }
        let mut scores = vec![Score(0); start];
        for (voter, &uid) in voters.iter().enumerate() {
            for (column, value) in weights.iter(uid) {
                if value > Fixed::ZERO {
                    let next = &mut ends[usize::from(column)];
                    scores[*next] = Score::new(value, voter as u16);
                    *next += 1;
                }
            }
        }
        Self { ends, scores }
    }

    fn column(&self, column: usize) -> &[Score] {
        let start = match column {
            0 => 0,
            _ => self.ends[column - 1],
        };
        &self.scores[start..self.ends[column]]
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
