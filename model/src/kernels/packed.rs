//! Products of a few rows with a weight matrix that was laid out for them once.
//!
//! Every output is summed over the inputs in their order, one fused step each, whatever the number of rows: a row's
//! result is the same bits alone, in a batch, in a prefill and in a decode step.

use std::ops::Range;

/// Columns that are computed together.
const PANEL: usize = 32;
/// Multiplications above which a product is divided among the pool's threads.
const WORTH_SPLITTING: usize = 1 << 24;
/// Fewer rows than this are not divided: they share one pass over the weights.
const MIN_ROWS: usize = 8;

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

    fn panels(&self) -> impl Iterator<Item = &[f32]> {
        self.panels.chunks_exact(PANEL * self.inputs)
    }

    /// The outputs that a panel computes.
    fn columns(&self, panel: usize) -> Range<usize> {
        panel * PANEL..self.outputs.min((panel + 1) * PANEL)
    }

    /// `out = x w`, `x` `[rows, inputs]`, `out` `[rows, outputs]`.
    pub(crate) fn multiply(&self, x: &[f32], out: &mut [f32]) {
        let rows = x.len() / self.inputs;
        debug_assert_eq!(out.len(), rows * self.outputs);
        if rows >= MIN_ROWS && rows * self.panels.len() >= WORTH_SPLITTING {
            use rayon::prelude::*;
            let share = rows
                .div_ceil(rayon::current_num_threads())
                .next_multiple_of(MIN_ROWS);
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
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the feature was just detected.
            return unsafe { x86::multiply_avx512(weights, x, out) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: both features were just detected.
            return unsafe { x86::multiply_avx2(weights, x, out) };
        }
    }
    let rows = x
        .chunks_exact(weights.inputs)
        .zip(out.chunks_exact_mut(weights.outputs));
    for (x, out) in rows {
        for (index, panel) in weights.panels().enumerate() {
            let mut sums = [0.0f32; PANEL];
            for (x, weights) in x.iter().zip(panel.chunks_exact(PANEL)) {
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    // Without the instruction a fused step is a slow call.
                    *sum = match cfg!(target_arch = "aarch64") {
                        true => x.mul_add(*weight, *sum),
                        false => x * weight + *sum,
                    };
                }
            }
            let columns = weights.columns(index);
            let width = columns.len();
            out[columns].copy_from_slice(&sums[..width]);
        }
    }
}

/// The same product with vectors of eight and of sixteen: each lane is one output, so both give the same bits.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{PANEL, Packed};

    /// Defines a product: the feature, the vector's type and width, its instructions, and the rows of one pass, as
    /// many as its registers hold.
    macro_rules! product {
        (
            $multiply:ident, $panel:ident, $feature:literal, $vector:ty, $lanes:literal,
            $zero:ident, $load:ident, $splat:ident, $fused:ident, $store:ident, [$most:literal $($rows:literal)*]
        ) => {
            #[target_feature(enable = $feature)]
            pub(super) fn $multiply(weights: &Packed, x: &[f32], out: &mut [f32]) {
                let (inputs, outputs) = (weights.inputs, weights.outputs);
                for (index, panel) in weights.panels().enumerate() {
                    let columns = weights.columns(index);
                    let blocks = x.chunks($most * inputs).zip(out.chunks_mut($most * outputs));
                    for (x, out) in blocks {
                        match x.len() / inputs {
                            $most => $panel::<$most>(panel, x, inputs, out, outputs, columns.clone()),
                            $($rows => $panel::<$rows>(panel, x, inputs, out, outputs, columns.clone()),)*
                            _ => {}
                        }
                    }
                }
            }

            #[target_feature(enable = $feature)]
            fn $panel<const R: usize>(
                panel: &[f32],
                x: &[f32],
                inputs: usize,
                out: &mut [f32],
                outputs: usize,
                columns: std::ops::Range<usize>,
            ) {
                const VECTORS: usize = PANEL / $lanes;
                assert!(x.len() >= R * inputs && panel.len() == inputs * PANEL);
                let mut sums: [[$vector; VECTORS]; R] = [[$zero(); VECTORS]; R];
                for input in 0..inputs {
                    // SAFETY: the assertion keeps `input * PANEL + PANEL` within the panel.
                    let weights: [$vector; VECTORS] = std::array::from_fn(|v| unsafe {
                        $load(panel.as_ptr().add(input * PANEL + v * $lanes))
                    });
                    for row in 0..R {
                        // SAFETY: the assertion keeps `row * inputs + input` within `x`.
                        let x = $splat(unsafe { *x.get_unchecked(row * inputs + input) });
                        for v in 0..VECTORS {
                            sums[row][v] = $fused(x, weights[v], sums[row][v]);
                        }
                    }
                }
                for (row, sums) in sums.iter().enumerate() {
                    let mut values = [0.0f32; PANEL];
                    for (v, sum) in sums.iter().enumerate() {
                        // SAFETY: `values` has room for all vectors of a panel.
                        unsafe { $store(values.as_mut_ptr().add(v * $lanes), *sum) };
                    }
                    let out = &mut out[row * outputs..][columns.clone()];
                    out.copy_from_slice(&values[..columns.len()]);
                }
            }
        };
    }

    product!(
        multiply_avx512, panel_avx512, "avx512f", __m512, 16, _mm512_setzero_ps, _mm512_loadu_ps,
        _mm512_set1_ps, _mm512_fmadd_ps, _mm512_storeu_ps, [8 1 2 3 4 5 6 7]
    );
    product!(
        multiply_avx2, panel_avx2, "avx2,fma", __m256, 8, _mm256_setzero_ps, _mm256_loadu_ps,
        _mm256_set1_ps, _mm256_fmadd_ps, _mm256_storeu_ps, [3 1 2]
    );
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
                #[cfg(target_arch = "x86_64")]
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: both features were just detected.
                    unsafe { x86::multiply_avx2(&packed, x, &mut alone) };
                    assert_eq!(alone, out, "the width of the vectors must not show");
                }
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
