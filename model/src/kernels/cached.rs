//! Attention of new tokens to the earlier ones of their sequence, over a cache.
//!
//! Keys are cached in panels of 32 positions, component by component, so that scores are a product of tiles; values are
//! cached one position after the other. A token's result depends on its own sequence only, and has the same bits
//! whether its neighbours come with it or later.

use std::cell::RefCell;

use super::{
    aligned::Aligned,
    lanes,
    tile::{self, COLUMNS, Left, Panel, Target},
    wide,
};

/// Most rows of a block: what one pass over keys and values is shared by.
pub(crate) const BLOCK: usize = 12;

/// Keys and values of one layer of one sequence.
pub(crate) struct Cache {
    head_dim: usize,
    /// Positions that there is room for, whole panels.
    capacity: usize,
    /// `[key_heads, capacity / 32, head_dim, 32]`.
    keys: Aligned<f32>,
    /// `[key_heads, capacity, stride]`.
    values: Aligned<f32>,
}

/// Rows of one sequence that attend together: the first one's position and what it sees of the past.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) position: usize,
    pub(crate) rows: usize,
    /// How many tokens a token sees, itself included.
    pub(crate) window: Option<usize>,
}

thread_local! {
    /// Scores of one block.
    static SCORES: RefCell<Aligned<f32>> = RefCell::new(Aligned::zeros(0));
}

impl Cache {
    pub(crate) fn new(key_heads: usize, head_dim: usize, positions: usize) -> Self {
        let capacity = positions.next_multiple_of(COLUMNS);
        let values = head_dim.next_multiple_of(COLUMNS);
        Self {
            head_dim,
            capacity,
            keys: Aligned::zeros(key_heads * capacity * head_dim),
            values: Aligned::zeros(key_heads * capacity * values),
        }
    }

    /// Width of a cached value: whole tiles.
    fn stride(&self) -> usize {
        self.head_dim.next_multiple_of(COLUMNS)
    }

    /// Stores keys and values of consecutive positions: rows `stride` apart that begin with all heads' keys and go on
    /// with all heads' values.
    pub(crate) fn store(&mut self, position: usize, rows: &[f32], stride: usize, key_width: usize) {
        let (head_dim, value_stride) = (self.head_dim, self.stride());
        for head in 0..key_width / head_dim {
            let keys = &mut self.keys[head * self.capacity * head_dim..];
            for (row, position) in rows.chunks(stride).zip(position..) {
                let panel = &mut keys[position / COLUMNS * COLUMNS * head_dim..];
                let places = panel[position % COLUMNS..].iter_mut().step_by(COLUMNS);
                let key = &row[head * head_dim..][..head_dim];
                places.zip(key).for_each(|(place, key)| *place = *key);
                let value = &row[key_width + head * head_dim..][..head_dim];
                let at = (head * self.capacity + position) * value_stride;
                self.values[at..][..head_dim].copy_from_slice(value);
            }
        }
    }

    /// Takes over the first positions of another cache of the same extents.
    pub(crate) fn copy_from(&mut self, other: &Self, positions: usize) {
        let (keys, values) = (self.capacity * self.head_dim, self.capacity * self.stride());
        let shared_keys = positions.next_multiple_of(COLUMNS) * self.head_dim;
        let shared_values = positions * self.stride();
        for (to, from) in self.keys.chunks_mut(keys).zip(other.keys.chunks(keys)) {
            to[..shared_keys].copy_from_slice(&from[..shared_keys]);
        }
        for (to, from) in self
            .values
            .chunks_mut(values)
            .zip(other.values.chunks(values))
        {
            to[..shared_values].copy_from_slice(&from[..shared_values]);
        }
    }

    /// Lets one head of a block attend: `q` begins at the head's part of the first row, rows `stride` apart.
    ///
    /// # Safety
    /// `out` must be valid for `head_dim` values of each of the block's rows, and nobody else may use them meanwhile.
    pub(crate) unsafe fn attend(
        &self,
        key_head: usize,
        block: Block,
        (q, stride): (&[f32], usize),
        (out, out_stride): (*mut f32, usize),
    ) {
        let head_dim = self.head_dim;
        let seen = block.position + block.rows;
        let start = block.first(0) / COLUMNS * COLUMNS;
        let end = seen.next_multiple_of(COLUMNS);
        let width = end - start;
        let q = Left {
            data: q,
            rows: block.rows,
            stride,
            step: 1,
        };
        SCORES.with_borrow_mut(|scores| {
            if scores.len() < block.rows * width {
                *scores = Aligned::zeros(BLOCK * width.next_power_of_two());
            }
            let scores = &mut scores[..block.rows * width];
            for tile in (start..end).step_by(COLUMNS) {
                let keys = (key_head * self.capacity + tile) * head_dim;
                let panel = Panel {
                    data: &self.keys[keys..][..COLUMNS * head_dim],
                    stride: COLUMNS,
                };
                let target = Target {
                    // SAFETY: the tile's columns are inside the first row.
                    start: unsafe { scores.as_mut_ptr().add(tile - start) },
                    stride: width,
                    columns: COLUMNS,
                };
                // SAFETY: the rows of scores are this thread's own.
                unsafe { tile::multiply(q, panel, head_dim, target, false) };
            }
            let scale = 1.0 / (head_dim as f32).sqrt();
            for (row, scores) in scores.chunks_exact_mut(width).enumerate() {
                let own = block.position + row + 1;
                weigh(scores, block.first(row) - start, own - start, scale);
            }
            let weights = Left {
                data: scores,
                rows: block.rows,
                stride: width,
                step: 1,
            };
            let values = (key_head * self.capacity + start) * self.stride();
            for column in (0..head_dim).step_by(COLUMNS) {
                let panel = Panel {
                    data: &self.values[values + column..],
                    stride: self.stride(),
                };
                let target = Target {
                    // SAFETY: the column is one of the head's.
                    start: unsafe { out.add(column) },
                    stride: out_stride,
                    columns: COLUMNS.min(head_dim - column),
                };
                // SAFETY: the caller's promise.
                unsafe { tile::multiply(weights, panel, seen - start, target, false) };
            }
        });
    }
}

impl Block {
    /// The first position that a row sees.
    fn first(&self, row: usize) -> usize {
        let seen = self.position + row + 1;
        self.window.map_or(0, |window| seen.saturating_sub(window))
    }
}

wide! {
    /// Turns scores into weights: those of `first..seen`, and zero elsewhere.
    fn weigh(scores: &mut [f32], first: usize, seen: usize, scale: f32) {
        scores[..first].fill(0.0);
        scores[seen..].fill(0.0);
        let scores = &mut scores[first..seen];
        for score in scores.iter_mut() {
            *score *= scale;
        }
        let largest = lanes::max(scores);
        for score in scores.iter_mut() {
            *score = lanes::exp(*score - largest);
        }
        let inverse = 1.0 / lanes::sum(scores);
        for score in scores.iter_mut() {
            *score *= inverse;
        }
    }
}
