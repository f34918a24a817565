//! Products of a few rows with a weight matrix that was laid out for them once.
//!
//! Every output is summed over the inputs in their order, one fused step each, whatever the number of rows: a row's
//! result is the same bits alone, in a batch, in a prefill and in a decode step.

/// Columns that are computed together.
const PANEL: usize = 32;
/// Rows that share one pass over a panel.
const ROWS: usize = 2;
/// Multiplications above which a product is divided among the pool's threads.
const WORTH_SPLITTING: usize = 1 << 24;

/// A matrix `[inputs, outputs]` in panels of 32 outputs: panel by panel, input by input, its 32 weights.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    inputs: usize,
    outputs: usize,
    panels: Vec<f32>,
}

impl Packed {
    /// Packs matrices that share their inputs, each `[outputs, inputs]` row-major as in a file, side by side.
    pub(crate) fn new(inputs: usize, matrices: &[&[f32]]) -> Self {
        let outputs: usize = matrices.iter().map(|m| m.len() / inputs).sum();
        let mut panels = vec![0.0; outputs.div_ceil(PANEL) * PANEL * inputs];
        let rows = matrices.iter().flat_map(|m| m.chunks_exact(inputs));
        for (output, row) in rows.enumerate() {
            let panel = &mut panels[output / PANEL * PANEL * inputs..][..PANEL * inputs];
            for (input, weight) in row.iter().enumerate() {
                panel[input * PANEL + output % PANEL] = *weight;
            }
        }
        Self {
            inputs,
            outputs,
            panels,
        }
    }

    /// Number of outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `out = x w`, `x` `[rows, inputs]`, `out` `[rows, outputs]`.
    pub(crate) fn multiply(&self, x: &[f32], out: &mut [f32]) {
        let rows = x.len() / self.inputs;
        debug_assert_eq!(out.len(), rows * self.outputs);
        if rows >= 2 * ROWS && rows * self.panels.len() >= WORTH_SPLITTING {
            use rayon::prelude::*;
            let share = rows
                .div_ceil(rayon::current_num_threads())
                .next_multiple_of(ROWS);
            out.par_chunks_mut(share * self.outputs)
                .zip(x.par_chunks(share * self.inputs))
                .for_each(|(out, x)| multiply(self, x, out));
        } else {
            multiply(self, x, out);
        }
    }
}

fn multiply(weights: &Packed, x: &[f32], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn fused(weights: &Packed, x: &[f32], out: &mut [f32]) {
            all_panels::<true>(weights, x, out);
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: both features were just detected.
            return unsafe { fused(weights, x, out) };
        }
    }
    all_panels::<{ cfg!(target_arch = "aarch64") }>(weights, x, out);
}

#[inline(always)]
fn all_panels<const FUSED: bool>(weights: &Packed, x: &[f32], out: &mut [f32]) {
    let (inputs, outputs) = (weights.inputs, weights.outputs);
    for (index, panel) in weights.panels.chunks_exact(PANEL * inputs).enumerate() {
        let first = index * PANEL;
        let width = PANEL.min(outputs - first);
        let mut xs = x.chunks_exact(ROWS * inputs);
        let mut outs = out.chunks_exact_mut(ROWS * outputs);
        for (x, out) in (&mut xs).zip(&mut outs) {
            one_panel::<ROWS, FUSED>(panel, x, inputs, out, outputs, first, width);
        }
        if !xs.remainder().is_empty() {
            let (x, out) = (xs.remainder(), outs.into_remainder());
            one_panel::<1, FUSED>(panel, x, inputs, out, outputs, first, width);
        }
    }
}

#[inline(always)]
fn one_panel<const R: usize, const FUSED: bool>(
    panel: &[f32],
    x: &[f32],
    inputs: usize,
    out: &mut [f32],
    outputs: usize,
    first: usize,
    width: usize,
) {
    let mut sums = [[0.0f32; PANEL]; R];
    let xs: [&[f32]; R] = std::array::from_fn(|row| &x[row * inputs..][..inputs]);
    for (input, weights) in panel.chunks_exact(PANEL).enumerate() {
        for row in 0..R {
            let x = xs[row][input];
            for column in 0..PANEL {
                let sum = &mut sums[row][column];
                *sum = match FUSED {
                    true => x.mul_add(weights[column], *sum),
                    false => x * weights[column] + *sum,
                };
            }
        }
    }
    for row in 0..R {
        out[row * outputs + first..][..width].copy_from_slice(&sums[row][..width]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_same_bits_alone_and_among_others() {
        let (inputs, sizes) = (37, [5usize, 61, 3]);
        let weight = |i: usize| ((i * 7919 % 1000) as f32 - 500.0) / 300.0;
        let matrices: Vec<Vec<f32>> = sizes
            .iter()
            .map(|n| (0..n * inputs).map(|i| weight(i + n)).collect())
            .collect();
        let slices: Vec<&[f32]> = matrices.iter().map(Vec::as_slice).collect();
        let packed = Packed::new(inputs, &slices);
        let outputs = packed.outputs();
        assert_eq!(outputs, 69);
        for rows in 1..8 {
            let x: Vec<f32> = (0..rows * inputs).map(|i| weight(3 * i + 1)).collect();
            let mut out = vec![0.0; rows * outputs];
            packed.multiply(&x, &mut out);
            for (x, out) in x.chunks_exact(inputs).zip(out.chunks_exact(outputs)) {
                let mut alone = vec![0.0; outputs];
                packed.multiply(x, &mut alone);
                assert_eq!(alone, out);
                let all = matrices.iter().flat_map(|m| m.chunks_exact(inputs));
                for (row, found) in all.zip(out) {
                    let expected: f64 = row
                        .iter()
                        .zip(x)
                        .map(|(w, x)| f64::from(*w) * f64::from(*x))
                        .sum();
                    assert!((f64::from(*found) - expected).abs() < 1e-4);
                }
            }
        }
    }
}
