//! Causal attention over whole sequences, for training: products by blocks of rows through `gemm`.
//!
//! A block of rows only meets the keys that its last row may see, which saves almost half of the products.

use super::{lanes, wide};

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

/// A matrix inside a larger row-major one: a slice that starts at its first element, and the larger one's width.
#[derive(Clone, Copy)]
struct View<'a> {
    data: &'a [f32],
    stride: usize,
    transposed: bool,
}

impl<'a> View<'a> {
    fn new(data: &'a [f32], stride: usize) -> Self {
        Self {
            data,
            stride,
            transposed: false,
        }
    }

    fn transpose(self) -> Self {
        Self {
            transposed: !self.transposed,
            ..self
        }
    }

    /// (column stride, row stride)
    fn strides(&self) -> (isize, isize) {
        match self.transposed {
            false => (1, self.stride as isize),
            true => (self.stride as isize, 1),
        }
    }

    fn assert_holds(&self, rows: usize, columns: usize) {
        let (rows, columns) = if self.transposed {
            (columns, rows)
        } else {
            (rows, columns)
        };
        assert!(columns <= self.stride && (rows - 1) * self.stride + columns <= self.data.len());
    }
}

/// `out = keep * out + scale * a b`, where `a` is `[m, k]`, `b` is `[k, n]` and `out` `[m, n]` with rows `stride` apart.
fn product(
    [m, n, k]: [usize; 3],
    (out, stride): (&mut [f32], usize),
    keep: bool,
    scale: f32,
    a: View<'_>,
    b: View<'_>,
) {
    View::new(out, stride).assert_holds(m, n);
    a.assert_holds(m, k);
    b.assert_holds(k, n);
    let ((a_cs, a_rs), (b_cs, b_rs)) = (a.strides(), b.strides());
    // SAFETY: the three assertions keep every element that the strides reach inside its slice.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            stride as isize,
            keep,
            a.data.as_ptr(),
            a_cs,
            a_rs,
            b.data.as_ptr(),
            b_cs,
            b_rs,
            1.0f32,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// The row blocks of a sequence: (first row, rows, keys that the block sees).
fn blocks(time: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..time).step_by(BLOCK).map(move |first| {
        let rows = BLOCK.min(time - first);
        (first, rows, first + rows)
    })
}

/// One sequence: `q` `[time, heads * head_dim]`, `k` and `v` `[time, key_heads * head_dim]`, all rotated already.
/// Writes `out` like `q` and the weights `probabilities` `[heads, time, time]` (only what the row blocks see).
pub(crate) fn forward(
    extent: Extent,
    [q, k, v]: [&[f32]; 3],
    out: &mut [f32],
    probabilities: &mut [f32],
) {
    let Extent {
        time,
        heads,
        key_heads,
        head_dim,
        window,
    } = extent;
    let (q_width, k_width) = (heads * head_dim, key_heads * head_dim);
    let scale = 1.0 / (head_dim as f32).sqrt();
    for head in 0..heads {
        let (at, key_at) = (head * head_dim, head / (heads / key_heads) * head_dim);
        let p = &mut probabilities[head * time * time..][..time * time];
        for (first, rows, seen) in blocks(time) {
            let p = &mut p[first * time..];
            let q = View::new(&q[first * q_width + at..], q_width);
            let k = View::new(&k[key_at..], k_width).transpose();
            product([rows, seen, head_dim], (p, time), false, scale, q, k);
            softmax(p, time, first, rows, window);
            let v = View::new(&v[key_at..], k_width);
            let out = &mut out[first * q_width + at..];
            product(
                [rows, head_dim, seen],
                (out, q_width),
                false,
                1.0,
                View::new(p, time),
                v,
            );
        }
    }
}

/// The gradients of one sequence into zeroed `dq`, `dk` and `dv`, shaped like `q`, `k` and `v`.
pub(crate) fn backward(
    extent: Extent,
    [q, k, v]: [&[f32]; 3],
    probabilities: &[f32],
    dy: &[f32],
    [dq, dk, dv]: [&mut [f32]; 3],
) {
    let Extent {
        time,
        heads,
        key_heads,
        head_dim,
        window: _,
    } = extent;
    let (q_width, k_width) = (heads * head_dim, key_heads * head_dim);
    let scale = 1.0 / (head_dim as f32).sqrt();
    let mut scratch = vec![0.0; BLOCK.min(time) * time];
    for head in 0..heads {
        let (at, key_at) = (head * head_dim, head / (heads / key_heads) * head_dim);
        for (first, rows, seen) in blocks(time) {
            let p = &probabilities[(head * time + first) * time..];
            let start = first * q_width + at;
            let dy = View::new(&dy[start..], q_width);
            let values = View::new(&v[key_at..], k_width).transpose();
            product(
                [rows, seen, head_dim],
                (&mut scratch, time),
                false,
                1.0,
                dy,
                values,
            );
            softmax_backward(p, &mut scratch, time, first, rows, scale);
            let ds = View::new(&scratch, time);
            let keys = View::new(&k[key_at..], k_width);
            let dq = &mut dq[start..];
            product([rows, head_dim, seen], (dq, q_width), false, 1.0, ds, keys);
            let queries = View::new(&q[start..], q_width);
            let dk = &mut dk[key_at..];
            product(
                [seen, head_dim, rows],
                (dk, k_width),
                true,
                1.0,
                ds.transpose(),
                queries,
            );
            let p = View::new(p, time).transpose();
            let dv = &mut dv[key_at..];
            product([seen, head_dim, rows], (dv, k_width), true, 1.0, p, dy);
        }
    }
}

wide! {
    /// Turns scores into weights: row `i` of the block sees the last `window` of keys `0..=first + i`, the rest of the
    /// block becomes zero, and with it every gradient of the rest.
    fn softmax(scores: &mut [f32], stride: usize, first: usize, rows: usize, window: usize) {
        for (i, row) in scores.chunks_mut(stride).take(rows).enumerate() {
            let (row, hidden) = row[..first + rows].split_at_mut(first + i + 1);
            let (past, row) = row.split_at_mut(row.len().saturating_sub(window));
            past.fill(0.0);
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
