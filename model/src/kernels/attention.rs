//! Causal attention over whole sequences, for training, by blocks of rows.
//!
//! A block of rows only meets the keys that its last row may see, which saves almost half of the products.

use super::{
    lanes,
    parallel::Shared,
    product::{self, Matrix, product_into},
    tile::COLUMNS,
    wide,
};

/// Extents of one sequence's attention.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Tokens of the sequence.
    pub(crate) time: usize,
    /// Query heads.
    pub(crate) heads: usize,
    /// Key and value heads; divides `heads`.
    pub(crate) key_heads: usize,
    /// Width of one head.
    pub(crate) head_dim: usize,
    /// How many tokens a token sees, itself included; `usize::MAX` for all earlier ones.
    pub(crate) window: usize,
}

/// Rows of a block: fewer save more of the upper triangle, more make better products.
const BLOCK: usize = 64;

/// `out = a b` or, with `add`, `out += a b`, all columns.
///
/// # Safety
/// `out` must be valid for the product with rows `stride` apart, and nobody else may use it meanwhile.
unsafe fn product_at(a: Matrix<'_>, b: Matrix<'_>, out: *mut f32, stride: usize, add: bool) {
    let panels = 0..b.columns.div_ceil(COLUMNS);
    // SAFETY: the caller's promise.
    unsafe { product::multiply(a, b, panels, (out, stride), add) };
}

/// The row blocks of a sequence: (first row, rows, keys that the block sees).
fn blocks(time: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..time).step_by(BLOCK).map(move |first| {
        let rows = BLOCK.min(time - first);
        (first, rows, first + rows)
    })
}

impl Extent {
    fn widths(&self) -> (usize, usize) {
        (self.heads * self.head_dim, self.key_heads * self.head_dim)
    }

    /// Where a query head and its key head begin in a row.
    fn places(&self, head: usize) -> (usize, usize) {
        let group = self.heads / self.key_heads;
        (head * self.head_dim, head / group * self.head_dim)
    }
}

/// One head of one sequence: `q` `[time, heads * head_dim]`, `k` and `v` `[time, key_heads * head_dim]`, all rotated
/// already. Writes the head's part of `out`, shaped like `q`, and the weights `p` `[time, time]`.
///
/// # Safety
/// `out` must be valid for the sequence's rows, and nobody else may use the head's part of them meanwhile.
pub(crate) unsafe fn forward(
    extent: Extent,
    head: usize,
    [q, k, v]: [&[f32]; 3],
    out: Shared,
    p: &mut [f32],
) {
    let Extent {
        time,
        head_dim,
        window,
        ..
    } = extent;
    let ((q_width, k_width), (at, key_at)) = (extent.widths(), extent.places(head));
    let scale = 1.0 / (head_dim as f32).sqrt();
    for (first, rows, seen) in blocks(time) {
        let p = &mut p[first * time..];
        let queries = Matrix::new(&q[first * q_width + at..], [rows, head_dim], q_width);
        let keys = Matrix::new(&k[key_at..], [seen, head_dim], k_width);
        product_into(queries, keys.transpose(), (p, time), false);
        softmax(p, time, first, rows, window, scale);
        let weights = Matrix::new(p, [rows, seen], time);
        let values = Matrix::new(&v[key_at..], [seen, head_dim], k_width);
        // SAFETY: the caller's promise.
        unsafe {
            product_at(
                weights,
                values,
                out.at(first * q_width + at),
                q_width,
                false,
            )
        };
    }
}

/// The gradients of one key head, and of the query heads that share it, into zeroed `dq`, `dk` and `dv`, shaped like `q`,
/// `k` and `v`. `probabilities` are the sequence's, `[heads, time, time]`.
///
/// # Safety
/// The gradients must be valid for the sequence's rows, and nobody else may use the heads' parts of them meanwhile.
pub(crate) unsafe fn backward(
    extent: Extent,
    key_head: usize,
    [q, k, v]: [&[f32]; 3],
    probabilities: &[f32],
    dy: &[f32],
    [dq, dk, dv]: [Shared; 3],
) {
    let Extent { time, head_dim, .. } = extent;
    let (q_width, k_width) = extent.widths();
    let group = extent.heads / extent.key_heads;
    let scale = 1.0 / (head_dim as f32).sqrt();
    let mut scratch = vec![0.0; BLOCK.min(time) * time];
    for head in key_head * group..(key_head + 1) * group {
        let (at, key_at) = extent.places(head);
        for (first, rows, seen) in blocks(time) {
            let p = &probabilities[(head * time + first) * time..];
            let start = first * q_width + at;
            let dy = Matrix::new(&dy[start..], [rows, head_dim], q_width);
            let values = Matrix::new(&v[key_at..], [seen, head_dim], k_width);
            product_into(dy, values.transpose(), (&mut scratch, time), false);
            softmax_backward(p, &mut scratch, time, first, rows, scale);
            let ds = Matrix::new(&scratch, [rows, seen], time);
            let keys = Matrix::new(&k[key_at..], [seen, head_dim], k_width);
            let queries = Matrix::new(&q[start..], [rows, head_dim], q_width);
            let p = Matrix::new(p, [rows, seen], time);
            // SAFETY: the caller's promise.
            unsafe {
                product_at(ds, keys, dq.at(start), q_width, false);
                product_at(ds.transpose(), queries, dk.at(key_at), k_width, true);
                product_at(p.transpose(), dy, dv.at(key_at), k_width, true);
            }
        }
    }
}

wide! {
    /// Turns scores into weights: row `i` of the block sees the last `window` of keys `0..=first + i`, the rest of the
    /// block becomes zero, and with it every gradient of the rest.
    fn softmax(scores: &mut [f32], stride: usize, first: usize, rows: usize, window: usize, scale: f32) {
        for (i, row) in scores.chunks_mut(stride).take(rows).enumerate() {
            let (row, hidden) = row[..first + rows].split_at_mut(first + i + 1);
            let (past, row) = row.split_at_mut(row.len().saturating_sub(window));
            past.fill(0.0);
            for x in row.iter_mut() {
                *x *= scale;
            }
            let largest = lanes::max(row);
            for x in row.iter_mut() {
                *x = lanes::exp(*x - largest);
            }
            let inverse = 1.0 / lanes::sum(row);
            for x in row.iter_mut() {
                *x *= inverse;
            }
            hidden.fill(0.0);
        }
    }
}

wide! {
    /// Turns gradients of weights into gradients of unscaled scores: `p (dp - sum(p dp)) scale`, zero where hidden.
    fn softmax_backward(p: &[f32], dp: &mut [f32], stride: usize, first: usize, rows: usize, scale: f32) {
        let seen = first + rows;
        for (p, dp) in p.chunks(stride).zip(dp.chunks_mut(stride)).take(rows) {
            let (p, dp) = (&p[..seen], &mut dp[..seen]);
            let total = lanes::dot(p, dp);
            for i in 0..seen {
                dp[i] = p[i] * (dp[i] - total) * scale;
            }
        }
    }
}
