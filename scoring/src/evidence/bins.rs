//! Cells of (margin, gap) in which tokens are counted.

use serde::{Deserialize, Serialize};

use super::TokenObservation;

/// Lower edges of the cells, ascending; the last cell of either axis is unbounded.
///
/// Beyond the gaps of 0.01 to 1 nats within which honest noise may flip a token, the edges 3 and 8 set near-certain
/// tokens apart. Answers to procedural items consist mostly of those; every forger draws them too, so without cells of
/// their own they would weigh against the few tokens of the same answer that do tell a forger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bins {
    /// Lower edges of the margin cells in nats; the first is 0.
    pub margin: Vec<f32>,
    /// Lower edges of the gap cells in nats; the first is 0.
    pub gap: Vec<f32>,
}

/// Index of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Position among the margin cells.
    pub margin: usize,
    /// Position among the gap cells.
    pub gap: usize,
}

impl Bins {
    /// The protocol's cells.
    pub fn standard() -> Self {
        Self {
            margin: vec![0.0, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56],
            gap: vec![0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 8.0],
        }
    }

    /// The token's cell, or `None` where the replay gave no number: then the token is no evidence either way, and the
    /// artifact that produced it is to be refused elsewhere.
    pub fn cell(&self, token: TokenObservation) -> Option<Cell> {
        if token.margin.is_nan() || token.gap.is_nan() {
            return None;
        }
        Some(Cell {
            margin: position(&self.margin, token.margin),
            gap: position(&self.gap, token.gap),
        })
    }

    /// Whether both axes start at 0 and ascend.
    pub fn is_valid(&self) -> bool {
        [&self.margin, &self.gap].into_iter().all(|edges| {
            edges.first() == Some(&0.0) && edges.windows(2).all(|pair| pair[0] < pair[1])
        })
    }

    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.margin.len() * self.gap.len()
    }
}

fn position(edges: &[f32], value: f32) -> usize {
    edges
        .partition_point(|edge| *edge <= value)
        .saturating_sub(1)
}
