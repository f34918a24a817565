//! Measure what two students of one teacher have of their own in common, however much noise is put on one of them.
//!
//! Students of one teacher differ from it by the noise they began with and by what they learned: their innovation. Those
//! of independent students are nearly uncorrelated. A copy keeps its original's whatever is added to it: with innovations
//! of deviation s and noise of deviation n, the two correlate by s / sqrt(s^2 + n^2).
//!
//! A unit of a gated feed-forward layer adds `silu(g x) (u x) d`. As in [`super::weights`], `g`, `u` and `d` are seen through
//! the vocabulary, so that neither order, nor scale, nor a rotation of the residual stream shows. A token's row counts by its
//! direction alone: tokens that nobody says cannot hide the others. Which of the teacher's units a student's unit comes from
//! is told by the direction of its gate alone, as that cannot be changed without changing what the unit does, up to its
//! sign (`silu(z) = z + silu(-z)`). What is compared is the sum over all units of one origin `t`, weighted by what the other two
//! vectors have of the teacher's:
//!
//! ```text
//! gate = sum ±g (u t_u) (d t_d)     up = sum u |g t_g| (d t_d)     down = sum d |g t_g| (u t_u)
//! ```
//!
//! These are contractions of the sum of `g ⊗ u ⊗ d`, the layer's second-order term: to split a unit, to rescale it, to pad
//! a layer with idle units or with pairs that cancel each other changes none of them. Of each vector, brought to length one,
//! the part along the teacher's is taken out; what remains is brought to length one again, so that no few units outweigh the
//! others. The measure is the mean cosine over the vectors that both students have.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::weights::{FeedForward, Matrix, ModelWeights, dot};
use crate::synthetic::normal;

/// Dimensions in which each of a unit's three vectors is seen.
const SKETCH: usize = 32;
/// Three of them: gate, other input, output.
const WIDTH: usize = 3 * SKETCH;
/// Units of the teacher that students are compared in at most, drawn by the seed: a bound for what a large model costs.
const MAX_UNITS: usize = 1024;
/// Least cosine of a vector to the teacher's for the one to come from the other.
const ALIKE: f32 = 0.7;
/// Least length of an innovation, where the whole vector has length one: below it there is nothing but rounding.
const LEAST: f32 = 1e-3;
/// Fewest vectors that both students must have.
pub const MIN_VECTORS: usize = 96;

/// The teacher's units, by which students are compared.
#[derive(Clone, Debug)]
pub struct Reference {
    seed: u64,
    channels: usize,
    vocabulary: usize,
    /// Three vectors of length one for each unit.
    units: Vec<f32>,
}

/// What a student has of its own: for each of the teacher's units three vectors of length one, or of zeros where it has
/// nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Innovation {
    units: Vec<f32>,
}

/// A model's vocabulary, by which its units are seen: [`SKETCH`] rows of as many values as there are channels.
struct Sight {
    channels: usize,
    reads: Vec<f32>,
    writes: Vec<f32>,
}

impl Reference {
    /// The units of a teacher; `None` when it has none or a shape does not fit the others. What `seed` draws is part of
    /// what is measured: only innovations by one reference compare.
    pub fn of(teacher: &ModelWeights<'_>, seed: u64) -> Option<Self> {
        let sight = Sight::of(teacher, seed)?;
        let all: Vec<(&FeedForward<'_>, usize)> = teacher
            .layers
            .iter()
            .flat_map(|layer| (0..layer.gate.rows).map(move |unit| (layer, unit)))
            .collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut drawn =
            rand::seq::index::sample(&mut rng, all.len(), MAX_UNITS.min(all.len())).into_vec();
        drawn.sort_unstable();
        let mut units = Vec::with_capacity(drawn.len() * WIDTH);
        for index in drawn {
            let (layer, unit) = all[index];
            let reads = sight.reads(layer);
            for vector in [
                see(&reads, row(&layer.gate, unit)),
                see(&reads, row(&layer.up, unit)),
                sight.writes(layer, unit),
            ] {
                units.extend(unit_length(vector)?);
            }
        }
        (!units.is_empty()).then_some(Self {
            seed,
            channels: teacher.embedding.columns,
            vocabulary: teacher.embedding.rows,
            units,
        })
    }

    /// What a student has of its own. `None` when a shape does not fit, when its vocabulary is another, and when it has
    /// fewer channels than the teacher: what was cut away is the same in all such students, and would pass for a copy.
    pub fn innovation(&self, student: &ModelWeights<'_>) -> Option<Innovation> {
        let (vocabulary, channels) = (student.embedding.rows, student.embedding.columns);
        if vocabulary != self.vocabulary || channels < self.channels {
            return None;
        }
        let sight = Sight::of(student, self.seed)?;
        let mut sums = vec![0.0_f32; self.units.len()];
        for layer in &student.layers {
            let reads = sight.reads(layer);
            for unit in 0..layer.gate.rows {
                let gate = see(&reads, row(&layer.gate, unit));
                let Some((origin, cosine)) = self.origin(&gate) else {
                    continue;
                };
                let teacher = &self.units[origin * WIDTH..(origin + 1) * WIDTH];
                let up = see(&reads, row(&layer.up, unit));
                let down = sight.writes(layer, unit);
                let of = |vector: &[f32; SKETCH], part: usize| {
                    dot(vector, &teacher[part * SKETCH..(part + 1) * SKETCH])
                };
                let (along_gate, along_up, along_down) = (of(&gate, 0), of(&up, 1), of(&down, 2));
                let factors = [
                    cosine.signum() * along_up * along_down,
                    along_gate.abs() * along_down,
                    along_gate.abs() * along_up,
                ];
                let sums = &mut sums[origin * WIDTH..(origin + 1) * WIDTH];
                for ((sums, vector), factor) in sums
                    .chunks_exact_mut(SKETCH)
                    .zip([gate, up, down])
                    .zip(factors)
                {
                    for (sum, value) in sums.iter_mut().zip(vector) {
                        *sum += factor * value;
                    }
                }
            }
        }
        for (sum, teacher) in sums
            .chunks_exact_mut(SKETCH)
            .zip(self.units.chunks_exact(SKETCH))
        {
            sum.copy_from_slice(&own(sum, teacher));
        }
        Some(Innovation { units: sums })
    }

    /// The unit whose gate is nearest to this one, either way round, with the cosine; `None` when none is near.
    fn origin(&self, gate: &[f32; SKETCH]) -> Option<(usize, f32)> {
        let length = dot(gate, gate).sqrt();
        let gates = self.units.chunks_exact(WIDTH);
        let cosines = gates.map(|unit| dot(&unit[..SKETCH], gate) / length);
        cosines
            .enumerate()
            .max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))
            .filter(|(_, cosine)| cosine.abs() >= ALIKE && cosine.is_finite())
    }
}

impl Innovation {
    /// Number of vectors in which the student has something of its own.
    pub fn vectors(&self) -> usize {
        let vectors = self.units.chunks_exact(SKETCH);
        vectors
            .filter(|vector| vector.iter().any(|v| *v != 0.0))
            .count()
    }

    /// The share of two students' innovations that they have in common, in [-1, 1]: the mean cosine over the vectors
    /// that both have; `None` with fewer than [`MIN_VECTORS`]. Symmetric.
    pub fn shared(&self, other: &Self) -> Option<f64> {
        let (mut count, mut total) = (0_usize, 0.0);
        for (a, b) in self
            .units
            .chunks_exact(SKETCH)
            .zip(other.units.chunks_exact(SKETCH))
        {
            let is = |vector: &[f32]| vector.iter().any(|v| *v != 0.0);
            if is(a) && is(b) {
                count += 1;
                total += f64::from(dot(a, b));
            }
        }
        (count >= MIN_VECTORS).then(|| (total / count as f64).clamp(-1.0, 1.0))
    }
}

impl Sight {
    fn of(model: &ModelWeights<'_>, seed: u64) -> Option<Self> {
        if !model.is_whole() {
            return None;
        }
        let channels = model.embedding.columns;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let draws: Vec<f32> = (0..model.embedding.rows * SKETCH)
            .map(|_| normal(&mut rng))
            .collect();
        let mut writes = project(&draws, &model.head);
        for row in writes.chunks_exact_mut(channels.max(1)) {
            for (value, gain) in row.iter_mut().zip(model.final_gain) {
                *value *= gain;
            }
        }
        Some(Self {
            channels,
            reads: project(&draws, &model.embedding),
            writes,
        })
    }

    /// What a token gives a layer's units to read, gain of the normalisation included.
    fn reads(&self, layer: &FeedForward<'_>) -> Vec<f32> {
        let gains = layer.gain.iter().cycle();
        self.reads
            .iter()
            .zip(gains)
            .map(|(value, gain)| value * gain)
            .collect()
    }

    /// What a unit adds to the tokens' logits.
    fn writes(&self, layer: &FeedForward<'_>, unit: usize) -> [f32; SKETCH] {
        let down = &layer.down;
        let column: Vec<f32> = down
            .data
            .iter()
            .skip(unit)
            .step_by(down.columns)
            .copied()
            .collect();
        debug_assert_eq!(column.len(), self.channels);
        see(&self.writes, &column)
    }
}

fn row<'a>(matrix: &Matrix<'a>, index: usize) -> &'a [f32] {
    &matrix.data[index * matrix.columns..(index + 1) * matrix.columns]
}

/// The product of the draws with a vocabulary's matrix whose rows have length one and mean zero: [`SKETCH`] by channels.
fn project(draws: &[f32], matrix: &Matrix<'_>) -> Vec<f32> {
    let channels = matrix.columns.max(1);
    let directions = || {
        matrix.data.chunks_exact(channels).map(|row| {
            let length = dot(row, row).sqrt();
            let factor = match length > 0.0 && length.is_finite() {
                true => 1.0 / length,
                false => 0.0,
            };
            (row, factor)
        })
    };
    let mut mean = vec![0.0_f32; channels];
    for (row, factor) in directions() {
        for (mean, value) in mean.iter_mut().zip(row) {
            *mean += factor * value / matrix.rows as f32;
        }
    }
    let mut product = vec![0.0_f32; SKETCH * channels];
    for ((row, factor), draws) in directions().zip(draws.chunks_exact(SKETCH)) {
        for (out, draw) in product.chunks_exact_mut(channels).zip(draws) {
            for (out, (value, mean)) in out.iter_mut().zip(row.iter().zip(&mean)) {
                *out += draw * (factor * value - mean);
            }
        }
    }
    product
}

fn see(seen_through: &[f32], vector: &[f32]) -> [f32; SKETCH] {
    let mut sketch = [0.0; SKETCH];
    let rows = seen_through.chunks_exact(vector.len().max(1));
    for (out, row) in sketch.iter_mut().zip(rows) {
        *out = dot(row, vector);
    }
    sketch
}

fn unit_length(vector: [f32; SKETCH]) -> Option<[f32; SKETCH]> {
    let length = dot(&vector, &vector).sqrt();
    (length > 0.0 && length.is_finite()).then(|| vector.map(|value| value / length))
}

/// What a student's vector has beside the teacher's, brought to length one; zeros where there is no such thing, or where the
/// vector is hardly the teacher's any more. `teacher` has length one.
fn own(student: &[f32], teacher: &[f32]) -> [f32; SKETCH] {
    let mut vector = [0.0; SKETCH];
    vector.copy_from_slice(student);
    let nothing = [0.0; SKETCH];
    let Some(vector) = unit_length(vector) else {
        return nothing;
    };
    let cosine = dot(&vector, teacher);
    let mut rest = vector;
    for (rest, teacher) in rest.iter_mut().zip(teacher) {
        *rest -= cosine * teacher;
    }
    match cosine >= ALIKE && dot(&rest, &rest).sqrt() >= LEAST {
        true => unit_length(rest).unwrap_or(nothing),
        false => nothing,
    }
}

#[cfg(test)]
mod tests;
