//! Weight matrices laid out once for the products of a decoder, as f32, bf16 or int8.
//!
//! Narrow weights are turned back into f32 a few inputs at a time, in the nearest cache, and then multiplied as f32 ones
//! are: the product is that of the rounded weights, in the same order, whatever the number of rows.

use std::{cell::RefCell, fmt, ops::Range, str::FromStr};

use half::bf16;
use thiserror::Error;

use super::{
    aligned::Aligned,
    parallel::{Shared, over},
    tile::{self, COLUMNS, Left, Panel, Target},
    wide,
};

/// Inputs that are turned into f32 at once: their weights and a few rows fit the nearest cache.
const CHUNK: usize = 128;
/// Inputs that share a scale of int8 weights; divides [`CHUNK`].
const GROUP: usize = 64;

/// How a decoder keeps its weight matrices in memory. Embeddings, gains and biases are always f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightFormat {
    /// As in the checkpoint.
    #[default]
    F32,
    /// Rounded to bfloat16: half the memory to read.
    Bf16,
    /// Whole numbers in -127..=127 with a scale for every 64 inputs of an output: a quarter.
    Int8,
}

/// A word that names no format of weights.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{found:?} is not a format of weights; use f32, bf16 or int8")]
pub struct ParseWeightFormatError {
    /// The word.
    pub found: String,
}

impl FromStr for WeightFormat {
    type Err = ParseWeightFormatError;

    fn from_str(word: &str) -> Result<Self, ParseWeightFormatError> {
        match word {
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            "int8" => Ok(Self::Int8),
            _ => Err(ParseWeightFormatError {
                found: word.to_owned(),
            }),
        }
    }
}

impl fmt::Display for WeightFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        })
    }
}

/// A matrix `[inputs, outputs]` in panels of 32 outputs: panel by panel, input by input, its 32 weights.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    inputs: usize,
    outputs: usize,
    weights: Weights,
}

#[derive(Clone, Debug)]
enum Weights {
    F32(Aligned<f32>),
    /// The upper halves of f32.
    Bf16(Aligned<u16>),
    /// Scales are laid out as the codes are: panel by panel, group by group, one for each of the 32 outputs.
    Int8 {
        codes: Aligned<i8>,
        scales: Aligned<f32>,
    },
}

thread_local! {
    /// A chunk of narrow weights as f32.
    static SCRATCH: RefCell<Aligned<f32>> = RefCell::new(Aligned::zeros(CHUNK * COLUMNS));
}

impl Packed {
    /// Packs matrices that share their inputs, each `[outputs, inputs]` row-major as in a file, side by side.
    pub(crate) fn new(inputs: usize, matrices: &[&[f32]], format: WeightFormat) -> Self {
        let outputs: usize = matrices.iter().map(|m| m.len() / inputs).sum();
        let mut panels = Aligned::zeros(outputs.div_ceil(COLUMNS) * COLUMNS * inputs);
        let rows = matrices.iter().flat_map(|m| m.chunks_exact(inputs));
        for (output, row) in rows.enumerate() {
            let panel = &mut panels[output / COLUMNS * COLUMNS * inputs..][..COLUMNS * inputs];
            let places = panel[output % COLUMNS..].iter_mut().step_by(COLUMNS);
            places.zip(row).for_each(|(place, weight)| *place = *weight);
        }
        let weights = match format {
            WeightFormat::F32 => Weights::F32(panels),
            WeightFormat::Bf16 => to_bf16(&panels),
            WeightFormat::Int8 => to_int8(&panels, inputs),
        };
        Self {
            inputs,
            outputs,
            weights,
        }
    }

    /// Number of outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Bytes of weights that one product reads.
    pub(crate) fn bytes(&self) -> usize {
        match &self.weights {
            Weights::F32(panels) => size_of_val::<[f32]>(panels),
            Weights::Bf16(panels) => size_of_val::<[u16]>(panels),
            Weights::Int8 { codes, scales } => {
                size_of_val::<[i8]>(codes) + size_of_val::<[f32]>(scales)
            }
        }
    }

    /// `out = x w`, `x` `[rows, inputs]`, `out` `[rows, outputs]`.
    pub(crate) fn multiply(&self, x: &[f32], out: &mut [f32]) {
        let rows = x.len() / self.inputs;
        assert_eq!(out.len(), rows * self.outputs, "a result for every row");
        let cost = x.len() * self.outputs;
        let out = Shared::new(out);
        over(self.outputs.div_ceil(COLUMNS), cost, |panels| {
            for panel in panels {
                // SAFETY: each panel's columns are inside `out`, and only this thread has this panel.
                unsafe { self.multiply_panel(panel, Left::rows(x, self.inputs), out) };
            }
        });
    }

    /// # Safety
    /// `out` must point to `[rows, outputs]`, the panel's columns of which nobody else uses meanwhile.
    unsafe fn multiply_panel(&self, panel: usize, x: Left<'_>, out: Shared) {
        let first = panel * COLUMNS;
        let target = Target {
            // SAFETY: the panel's first column is inside the first row.
            start: unsafe { out.at(first) },
            stride: self.outputs,
            columns: COLUMNS.min(self.outputs - first),
        };
        let start = panel * COLUMNS * self.inputs;
        if let Weights::F32(weights) = &self.weights {
            let panel = Panel {
                data: &weights[start..][..COLUMNS * self.inputs],
                stride: COLUMNS,
            };
            // SAFETY: the caller's promise.
            return unsafe { tile::multiply(x, panel, self.inputs, target, false) };
        }
        SCRATCH.with_borrow_mut(|scratch| {
            for from in (0..self.inputs).step_by(CHUNK) {
                let inputs = from..self.inputs.min(from + CHUNK);
                let weights = &mut scratch[..inputs.len() * COLUMNS];
                self.widen(panel, inputs.clone(), weights);
                let panel = Panel {
                    data: weights,
                    stride: COLUMNS,
                };
                let x = x.skip(from);
                // SAFETY: the caller's promise.
                unsafe { tile::multiply(x, panel, inputs.len(), target, from > 0) };
            }
        });
    }

    /// The weights of some inputs of a panel as f32.
    fn widen(&self, panel: usize, inputs: Range<usize>, out: &mut [f32]) {
        let start = (panel * self.inputs + inputs.start) * COLUMNS;
        match &self.weights {
            Weights::F32(weights) => out.copy_from_slice(&weights[start..][..out.len()]),
            Weights::Bf16(weights) => widen_bf16(&weights[start..][..out.len()], out),
            Weights::Int8 { codes, scales } => {
                let group = panel * self.inputs.div_ceil(GROUP) + inputs.start / GROUP;
                let codes = &codes[start..][..out.len()];
                widen_int8(codes, &scales[group * COLUMNS..], out);
            }
        }
    }
}

wide! {
    fn widen_bf16(weights: &[u16], out: &mut [f32]) {
        for (out, weight) in out.iter_mut().zip(weights) {
            *out = f32::from_bits(u32::from(*weight) << 16);
        }
    }
}

wide! {
    fn widen_int8(codes: &[i8], scales: &[f32], out: &mut [f32]) {
        let groups = codes.chunks(GROUP * COLUMNS).zip(out.chunks_mut(GROUP * COLUMNS));
        for ((codes, out), scales) in groups.zip(scales.chunks_exact(COLUMNS)) {
            let rows = codes.chunks_exact(COLUMNS).zip(out.chunks_exact_mut(COLUMNS));
            for (codes, out) in rows {
                for i in 0..COLUMNS {
                    out[i] = f32::from(codes[i]) * scales[i];
                }
            }
        }
    }
}

fn to_bf16(panels: &[f32]) -> Weights {
    let mut narrow = Aligned::zeros(panels.len());
    for (narrow, weight) in narrow.iter_mut().zip(panels) {
        *narrow = bf16::from_f32(*weight).to_bits();
    }
    Weights::Bf16(narrow)
}

/// Symmetric rounding to nearest: the largest weight of a group becomes 127 or -127.
fn to_int8(panels: &[f32], inputs: usize) -> Weights {
    let groups = inputs.div_ceil(GROUP);
    let mut codes = Aligned::zeros(panels.len());
    let mut scales = Aligned::<f32>::zeros(panels.len() / inputs * groups);
    let matrices = panels
        .chunks_exact(inputs * COLUMNS)
        .zip(codes.chunks_exact_mut(inputs * COLUMNS));
    for ((panel, codes), scales) in matrices.zip(scales.chunks_exact_mut(groups * COLUMNS)) {
        let parts = panel
            .chunks(GROUP * COLUMNS)
            .zip(codes.chunks_mut(GROUP * COLUMNS));
        for ((weights, codes), scales) in parts.zip(scales.chunks_exact_mut(COLUMNS)) {
            for (output, scale) in scales.iter_mut().enumerate() {
                let column = || weights[output..].iter().step_by(COLUMNS);
                let largest = column().fold(0.0f32, |most, weight| most.max(weight.abs()));
                *scale = largest / 127.0;
                let inverse = if *scale > 0.0 { 1.0 / *scale } else { 0.0 };
                let codes = codes[output..].iter_mut().step_by(COLUMNS);
                for (code, weight) in codes.zip(column()) {
                    *code = (weight * inverse).round() as i8;
                }
            }
        }
    }
    Weights::Int8 { codes, scales }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: [WeightFormat; 3] = [WeightFormat::F32, WeightFormat::Bf16, WeightFormat::Int8];

    fn numbers(count: usize, salt: usize) -> Vec<f32> {
        (0..count)
            .map(|i| (((i + salt) * 7919 % 1000) as f32 - 500.0) / 300.0)
            .collect()
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_among_others() {
        for (inputs, sizes) in [(37, [5usize, 61, 3]), (300, [64, 32, 1])] {
            let matrices = sizes.map(|n| numbers(n * inputs, n));
            for format in FORMATS {
                let packed = Packed::new(inputs, &matrices.each_ref().map(Vec::as_slice), format);
                let outputs = packed.outputs();
                assert_eq!(outputs, sizes.iter().sum::<usize>());
                for rows in [1, 2, 7, 40, 400] {
                    let x = numbers(rows * inputs, 1);
                    let mut out = vec![0.0; rows * outputs];
                    packed.multiply(&x, &mut out);
                    for (x, out) in x.chunks_exact(inputs).zip(out.chunks_exact(outputs)) {
                        let mut alone = vec![0.0; outputs];
                        packed.multiply(x, &mut alone);
                        assert_eq!(alone, out, "{format:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_product_is_that_of_the_rounded_weights() {
        let (inputs, outputs) = (200, 45);
        let matrix = numbers(inputs * outputs, 5);
        let x = numbers(inputs, 2);
        for (format, tolerance) in FORMATS.into_iter().zip([0.0, 1.0 / 256.0, 1.0 / 254.0]) {
            let packed = Packed::new(inputs, &[&matrix], format);
            let mut out = vec![0.0; outputs];
            packed.multiply(&x, &mut out);
            for (row, found) in matrix.chunks_exact(inputs).zip(&out) {
                let terms = row.iter().zip(&x).map(|(w, x)| f64::from(w * x));
                let exact: f64 = terms.clone().sum();
                // Each weight is off by at most the tolerance of the largest.
                let largest = row
                    .iter()
                    .fold(0.0f32, |most, weight| most.max(weight.abs()));
                let inputs: f64 = x.iter().map(|x| f64::from(x.abs())).sum();
                let allowed = 1e-4 + tolerance * f64::from(largest) * inputs;
                assert!((f64::from(*found) - exact).abs() <= allowed, "{format:?}");
            }
        }
    }

    #[test]
    fn narrow_weights_take_less_memory() {
        let matrix = numbers(256 * 64, 5);
        let bytes = FORMATS.map(|format| Packed::new(256, &[&matrix], format).bytes());
        assert_eq!(bytes, [65_536, 32_768, 16_384 + 4 * 64 * 4]);
    }
}
