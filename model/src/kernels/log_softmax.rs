//! Log-probabilities of rows of logits and their gradient.

use super::{lanes, wide};

wide! {
    /// `out = x - log(sum(exp(x)))` for each row of that width.
    pub(crate) fn forward(x: &[f32], width: usize, out: &mut [f32]) {
        for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
            let largest = lanes::max(x);
            for i in 0..width {
                out[i] = lanes::exp(x[i] - largest);
            }
            let shift = largest + lanes::sum(out).ln();
            for i in 0..width {
                out[i] = x[i] - shift;
            }
        }
    }
}

wide! {
    /// The gradient: `dx = dy - exp(out) sum(dy)`.
    pub(crate) fn backward(out: &[f32], width: usize, dy: &[f32], dx: &mut [f32]) {
        let rows = out.chunks_exact(width).zip(dy.chunks_exact(width));
        for ((out, dy), dx) in rows.zip(dx.chunks_exact_mut(width)) {
            let total = lanes::sum(dy);
            for i in 0..width {
                dx[i] = dy[i] - lanes::exp(out[i]) * total;
            }
        }
    }
}
