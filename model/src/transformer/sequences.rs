//! Sequences of any lengths, laid one after the other in the rows of a tensor.

use std::{ops::Range, sync::Arc};

/// The lengths of sequences that share the rows of a tensor, without padding between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequences {
    lengths: Arc<[usize]>,
}

impl Sequences {
    /// Sequences of these lengths, in tokens.
    pub fn new(lengths: impl Into<Arc<[usize]>>) -> Self {
        Self {
            lengths: lengths.into(),
        }
    }

    /// `batch` sequences of `time` tokens each.
    pub fn equal(batch: usize, time: usize) -> Self {
        Self::new(vec![time; batch])
    }

    /// Number of sequences.
    pub fn count(&self) -> usize {
        self.lengths.len()
    }

    /// Number of tokens in all.
    pub fn rows(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// Length of the longest sequence, 0 when there is none.
    pub fn longest(&self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    /// Whether all sequences are equally long.
    pub fn are_equal(&self) -> bool {
        self.lengths.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// The rows of each sequence.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        self.lengths.iter().scan(0, |start, &length| {
            let range = *start..*start + length;
            *start = range.end;
            Some(range)
        })
    }

    /// The rows of each sequence that has any.
    pub(crate) fn filled(&self) -> Vec<Range<usize>> {
        self.ranges().filter(|range| !range.is_empty()).collect()
    }

    /// How to pad all sequences to the longest, and back: for every padded row the row that it is taken from (padding
    /// repeats a sequence's first row, which no earlier token sees), and for every row its place among the padded ones.
    pub(crate) fn padding(&self) -> (Vec<i32>, Vec<i32>) {
        let longest = self.longest();
        let (mut padded, mut kept) = (Vec::new(), Vec::new());
        for (index, range) in self.ranges().enumerate() {
            let place = |at: usize| {
                if at < range.len() {
                    range.start + at
                } else {
                    range.start
                }
            };
            padded.extend((0..longest).map(|at| place(at) as i32));
            kept.extend((0..range.len()).map(|at| (index * longest + at) as i32));
        }
        (padded, kept)
    }
}
