//! Measure how differently two models are made, whatever a copier permutes, rescales, rotates or re-shards.
//!
//! The units of the feed-forward layers are compared one by one. A unit is seen through the vocabulary, whose order a
//! copier cannot change: what each token's embedding gives it to read (by its gate and by its other input), and what it
//! adds to each token's logit. These three vectors over the vocabulary, projected to [`SKETCH`] dimensions by a fixed
//! draw and brought to length one, do not change when units or channels are permuted, when a unit's input is scaled up
//! and its output down, when a normalisation's gain moves into the matrices behind it, or when the residual stream is
//! rotated. Units are matched to their nearest, layers are not: it does not matter in which one a unit stands.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::synthetic::normal;

/// Dimensions of each of a unit's three vectors.
pub const SKETCH: usize = 32;
/// Units of the later model that are looked up in the earlier one at most, drawn by the seed.
const LOOKED_UP: usize = 192;
/// Feed-forward layers that a signature holds at most, evenly chosen: a bound for what a large model costs.
pub const MAX_LAYERS: usize = 4;

/// A matrix, row by row.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// Number of rows.
    pub rows: usize,
    /// Length of a row.
    pub columns: usize,
    /// `rows * columns` values.
    pub data: &'a [f32],
}

/// A gated feed-forward layer.
#[derive(Clone, Copy, Debug)]
pub struct FeedForward<'a> {
    /// Gain of the normalisation before it, one value per channel.
    pub gain: &'a [f32],
    /// Units by channels: what goes through the activation.
    pub gate: Matrix<'a>,
    /// Units by channels: what the activation is multiplied with.
    pub up: Matrix<'a>,
    /// Channels by units.
    pub down: Matrix<'a>,
}

/// The weights that a signature is made of.
#[derive(Clone, Debug)]
pub struct ModelWeights<'a> {
    /// Vocabulary by channels: what a token writes to the residual stream.
    pub embedding: Matrix<'a>,
    /// Vocabulary by channels: what the residual stream says about a token; the embedding itself where they are tied.
    pub head: Matrix<'a>,
    /// Gain of the last normalisation, one value per channel.
    pub final_gain: &'a [f32],
    /// The layers, first to last.
    pub layers: Vec<FeedForward<'a>>,
}

/// A model's feed-forward units, each as three vectors of length one.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// [`SKETCH`] values for the gate, for the other input, for the output; unit after unit.
    units: Vec<f32>,
}

const WIDTH: usize = 3 * SKETCH;

impl ModelWeights<'_> {
    /// Whether all shapes fit each other.
    pub(super) fn is_whole(&self) -> bool {
        let (vocabulary, channels) = (self.embedding.rows, self.embedding.columns);
        let fits = |matrix: &Matrix<'_>, rows: usize, columns: usize| {
            matrix.rows == rows
                && matrix.columns == columns
                && Some(matrix.data.len()) == rows.checked_mul(columns)
        };
        let layer_fits = |layer: &FeedForward<'_>| {
            let units = layer.gate.rows;
            layer.gain.len() == channels
                && fits(&layer.gate, units, channels)
                && fits(&layer.up, units, channels)
                && fits(&layer.down, channels, units)
        };
        fits(&self.embedding, vocabulary, channels)
            && fits(&self.head, vocabulary, channels)
            && self.final_gain.len() == channels
            && self.layers.iter().all(layer_fits)
    }
}

impl Signature {
    /// The signature of a model; `None` when a shape does not fit the others. Signatures can be compared when they were
    /// made with the same `seed` and the vocabularies have the same size.
    pub fn of(model: &ModelWeights<'_>, seed: u64) -> Option<Self> {
        if !model.is_whole() {
            return None;
        }
        let (vocabulary, channels) = (model.embedding.rows, model.embedding.columns);
        let projection = projection(vocabulary, seed);
        let reads = project(&projection, &model.embedding, &vec![1.0; channels]);
        let writes = project(&projection, &model.head, model.final_gain);
        let mut units = Vec::new();
        for layer in chosen(&model.layers) {
            let gained: Vec<f32> = reads
                .iter()
                .enumerate()
                .map(|(i, value)| value * layer.gain[i % channels])
                .collect();
            for unit in 0..layer.gate.rows {
                let row = |matrix: &Matrix<'_>| {
                    let from = unit * channels;
                    see(&gained, matrix.data[from..from + channels].iter().copied())
                };
                units.extend(row(&layer.gate));
                units.extend(row(&layer.up));
                let column = layer
                    .down
                    .data
                    .iter()
                    .skip(unit)
                    .step_by(layer.down.columns);
                units.extend(see(&writes, column.copied()));
            }
        }
        Some(Self { units })
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.units.len() / WIDTH
    }

    fn unit(&self, index: usize) -> &[f32] {
        &self.units[index * WIDTH..(index + 1) * WIDTH]
    }
}

/// How far `later` is from `earlier`, in [0, 1]: one minus the mean, over units of the later model, of the likeness to
/// the nearest unit of the earlier one. Likeness is the mean cosine of the three vectors; the last two may turn their
/// signs, as a copier can. `None` when one of them has no units. `seed` draws the units that are looked up.
pub fn distance(later: &Signature, earlier: &Signature, seed: u64) -> Option<f64> {
    if later.units() == 0 || earlier.units() == 0 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let looked_up = rand::seq::index::sample(&mut rng, later.units(), LOOKED_UP.min(later.units()));
    let count = looked_up.len();
    let mut total = 0.0;
    for index in looked_up {
        let unit = later.unit(index);
        let nearest = earlier
            .units
            .chunks_exact(WIDTH)
            .map(|other| likeness(unit, other))
            .fold(f32::NEG_INFINITY, f32::max);
        total += f64::from(nearest);
    }
    Some((1.0 - total / count as f64).clamp(0.0, 1.0))
}

fn likeness(a: &[f32], b: &[f32]) -> f32 {
    let part = |i: usize| {
        dot(
            &a[i * SKETCH..(i + 1) * SKETCH],
            &b[i * SKETCH..(i + 1) * SKETCH],
        )
    };
    (part(0) + part(1).abs() + part(2).abs()) / 3.0
}

/// A dot product in lanes that do not wait for each other.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut lanes = [0.0_f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_chunks
        .remainder()
        .iter()
        .zip(b_chunks.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// Evenly chosen layers, the first and the last among them.
fn chosen<'a, 'b>(layers: &'b [FeedForward<'a>]) -> impl Iterator<Item = &'b FeedForward<'a>> {
    let count = layers.len().min(MAX_LAYERS);
    (0..count).map(move |i| match count {
        1 => &layers[0],
        _ => &layers[i * (layers.len() - 1) / (count - 1)],
    })
}

/// [`SKETCH`] standard normal draws per token.
fn projection(vocabulary: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..vocabulary * SKETCH).map(|_| normal(&mut rng)).collect()
}

/// The product of the projection with a vocabulary's matrix whose channels are scaled: [`SKETCH`] by channels. The mean
/// over the vocabulary is taken out first, as a constant added to all tokens says nothing.
fn project(projection: &[f32], matrix: &Matrix<'_>, scale: &[f32]) -> Vec<f32> {
    let channels = matrix.columns;
    let mut mean = vec![0.0_f32; channels];
    for row in matrix.data.chunks_exact(channels.max(1)) {
        for (mean, value) in mean.iter_mut().zip(row) {
            *mean += value / matrix.rows as f32;
        }
    }
    let mut product = vec![0.0_f32; SKETCH * channels];
    for (row, draws) in matrix
        .data
        .chunks_exact(channels.max(1))
        .zip(projection.chunks_exact(SKETCH))
    {
        for (out, draw) in product.chunks_exact_mut(channels.max(1)).zip(draws) {
            for (out, (value, mean)) in out.iter_mut().zip(row.iter().zip(&mean)) {
                *out += draw * (value - mean);
            }
        }
    }
    for row in product.chunks_exact_mut(channels.max(1)) {
        for (value, scale) in row.iter_mut().zip(scale) {
            *value *= scale;
        }
    }
    product
}

/// One of a unit's vectors, brought to length one; zero where the unit is.
fn see(seen_through: &[f32], vector: impl Iterator<Item = f32>) -> [f32; SKETCH] {
    let vector: Vec<f32> = vector.collect();
    let mut sketch = [0.0; SKETCH];
    for (out, row) in sketch
        .iter_mut()
        .zip(seen_through.chunks_exact(vector.len().max(1)))
    {
        *out = dot(row, &vector);
    }
    let length = dot(&sketch, &sketch).sqrt();
    if length > 0.0 && length.is_finite() {
        sketch.map(|value| value / length)
    } else {
        [0.0; SKETCH]
    }
}

#[cfg(test)]
pub(super) mod tests;
