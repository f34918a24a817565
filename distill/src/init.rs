//! First weights: drawn at random, or cut out of a teacher's layers.

use athanor_model::{
    Checkpoint, Config, HostTensor, Tensors,
    checkpoint::CheckpointError,
    config::ConfigError,
    tensors::{EMBEDDING, FINAL_NORM, HEAD, expected_in_layer},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::prune::{WidthError, Widths};

/// How a student is made.
#[derive(Clone, Debug, PartialEq)]
pub struct StudentPlan {
    /// The teacher's layers that it takes over, ascending; see [`layers`].
    pub layers: Vec<usize>,
    /// Seed of the noise that makes two students of one size differ.
    pub seed: u64,
    /// Deviation of the noise, as a share of each tensor's own; 0 copies.
    pub noise: f32,
}

/// Why a student cannot be made.
#[derive(Debug, Error)]
pub enum StudentError {
    /// The teacher does not open.
    #[error(transparent)]
    Teacher(#[from] CheckpointError),
    /// The widths are not the teacher's or less.
    #[error(transparent)]
    Widths(#[from] WidthError),
    /// The shape makes no model.
    #[error(transparent)]
    Shape(#[from] ConfigError),
    /// No layer, a layer that the teacher does not have, or layers that do not ascend.
    #[error("layers {layers:?} are not an ascending choice among the teacher's {teacher}")]
    Layers {
        /// The layers asked for.
        layers: Vec<usize>,
        /// How many the teacher has.
        teacher: usize,
    },
}

/// Which of a teacher's layers a student of `keep` layers takes over: the first, the last, and others evenly between.
///
/// Training the teacher runs these very subsets now and then, so such a student speaks before it has learnt anything.
pub fn layers(teacher: usize, keep: usize) -> Vec<usize> {
    match keep.min(teacher) {
        0 => Vec::new(),
        1 => vec![0],
        keep => (0..keep)
            .map(|at| at * (teacher - 1) / (keep - 1))
            .collect(),
    }
}

/// Makes a student: the teacher's embeddings and the chosen layers, with a little noise.
pub fn student(
    teacher: &Checkpoint,
    plan: &StudentPlan,
) -> Result<(Config, Tensors), StudentError> {
    cut(&teacher.config, &teacher.tensors()?, plan)
}

/// [`student`] of a teacher that is made narrower first.
pub fn narrow_student(
    teacher: &Checkpoint,
    plan: &StudentPlan,
    widths: Widths,
) -> Result<(Config, Tensors), StudentError> {
    let (config, weights) = widths.prune(&teacher.config, &teacher.tensors()?)?;
    cut(&config, &weights, plan)
}

/// A student with random weights: the teacher's shape, with so many layers and these widths.
pub fn scratch(
    teacher: &Config,
    layers: usize,
    widths: Widths,
    seed: u64,
) -> Result<(Config, Tensors), StudentError> {
    let config = Config {
        num_hidden_layers: layers,
        ..widths.of(teacher)?
    };
    config.check()?;
    let tensors = fresh(&config, seed);
    Ok((config, tensors))
}

/// Draws fresh weights: normal with deviation 1/sqrt(inputs), the projections that write to the residual stream scaled
/// down by the root of twice the depth, embeddings with deviation 0.02, gains at one, biases at zero.
pub(crate) fn fresh(config: &Config, seed: u64) -> Tensors {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let residual = 1.0 / (2.0_f32 * config.num_hidden_layers as f32).sqrt();
    let mut tensors = Tensors::new();
    for (name, shape) in in_order(config) {
        let deviation = match shape[..] {
            [_, _] if name == EMBEDDING || name == HEAD => 0.02,
            [_, inputs] if name.contains("o_proj") || name.contains("down_proj") => {
                residual / (inputs as f32).sqrt()
            }
            [_, inputs] => 1.0 / (inputs as f32).sqrt(),
            _ => {
                let first = if name.ends_with(".bias") { 0.0 } else { 1.0 };
                let data = vec![first; shape.iter().product()];
                tensors.insert(name, HostTensor { shape, data });
                continue;
            }
        };
        let count = shape.iter().product();
        let data = (0..count).map(|_| deviation * normal(&mut rng)).collect();
        tensors.insert(name, HostTensor { shape, data });
    }
    tensors
}

fn cut(
    teacher: &Config,
    weights: &Tensors,
    plan: &StudentPlan,
) -> Result<(Config, Tensors), StudentError> {
    let has = teacher.num_hidden_layers;
    let ascending = plan.layers.windows(2).all(|pair| pair[0] < pair[1]);
    if plan.layers.is_empty() || !ascending || plan.layers.iter().any(|&layer| layer >= has) {
        return Err(StudentError::Layers {
            layers: plan.layers.clone(),
            teacher: has,
        });
    }
    let config = teacher.with_layers(&plan.layers);
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    let mut tensors = Tensors::new();
    for (name, shape) in in_order(&config) {
        let Some(from) = weights.get(&teacher_name(&name, &plan.layers)) else {
            continue;
        };
        let values = &from.data;
        let spread = (values.iter().map(|x| x * x).sum::<f32>() / values.len() as f32).sqrt();
        let noise = if shape.len() > 1 {
            plan.noise * spread
        } else {
            0.0
        };
        let moved = values.iter().map(|value| value + noise * normal(&mut rng));
        let data = moved.collect();
        tensors.insert(name, HostTensor { shape, data });
    }
    Ok((config, tensors))
}

/// The tensors of a configuration in the order in which their weights are drawn: part of what a seed means.
fn in_order(config: &Config) -> Vec<(String, Vec<usize>)> {
    let table = vec![config.vocab_size, config.hidden_size];
    let mut tensors = vec![(EMBEDDING.to_owned(), table.clone())];
    for layer in 0..config.num_hidden_layers {
        let named = |(rest, shape)| (format!("model.layers.{layer}.{rest}"), shape);
        tensors.extend(expected_in_layer(config).into_iter().map(named));
    }
    tensors.push((FINAL_NORM.to_owned(), vec![config.hidden_size]));
    if !config.tie_word_embeddings {
        tensors.push((HEAD.to_owned(), table));
    }
    tensors
}

/// A standard normal draw (Box and Muller).
pub(crate) fn normal(rng: &mut impl Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}

/// The teacher's name of the tensor that a student's tensor comes from.
fn teacher_name(name: &str, layers: &[usize]) -> String {
    let parts = name
        .strip_prefix("model.layers.")
        .and_then(|rest| rest.split_once('.'));
    match parts.and_then(|(layer, rest)| Some((layers.get(layer.parse::<usize>().ok()?)?, rest))) {
        Some((layer, rest)) => format!("model.layers.{layer}.{rest}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
