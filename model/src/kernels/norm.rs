//! Root-mean-square normalisation of rows and its gradient.

use super::{lanes, wide};

wide! {
    /// `out = x * r * gain` for each row, with `r = 1 / sqrt(mean(x^2) + eps)` kept in `scales` (one per row).
    pub(crate) fn forward(x: &[f32], gain: &[f32], eps: f32, out: &mut [f32], scales: &mut [f32]) {
        let width = gain.len();
        let rows = x.chunks_exact(width).zip(out.chunks_exact_mut(width));
        for ((x, out), scale) in rows.zip(scales) {
            let r = 1.0 / (lanes::dot(x, x) / width as f32 + eps).sqrt();
            *scale = r;
            for i in 0..width {
                out[i] = x[i] * r * gain[i];
            }
        }
    }
}

/// [`forward`] of every head of one row, all with the same gain, for a caller that wants no scales.
pub(crate) fn heads(x: &[f32], gain: &[f32], eps: f32, out: &mut [f32]) {
    let heads = x
        .chunks_exact(gain.len())
        .zip(out.chunks_exact_mut(gain.len()));
    for (x, out) in heads {
        forward(x, gain, eps, out, &mut [0.0]);
    }
}

wide! {
    /// The gradient: `dx = r (g dy - x r^2 mean(g dy x))` into `dx`, `dgain += dy x r`.
    pub(crate) fn backward(
        x: &[f32],
        gain: &[f32],
        scales: &[f32],
        dy: &[f32],
        dx: &mut [f32],
        dgain: &mut [f32],
    ) {
        let width = gain.len();
        let dgain = &mut dgain[..width];
        let rows = x.chunks_exact(width).zip(dy.chunks_exact(width));
        for (((x, dy), dx), &r) in rows.zip(dx.chunks_exact_mut(width)).zip(scales) {
            for i in 0..width {
                dx[i] = dy[i] * gain[i];
                dgain[i] += dy[i] * x[i] * r;
            }
            let shift = lanes::dot(dx, x) / width as f32 * r * r;
            for i in 0..width {
                dx[i] = r * (dx[i] - x[i] * shift);
            }
        }
    }
}
