//! Cut students of several sizes out of a teacher's layers.

use athanor_model::{Checkpoint, Config, Tensors};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::network::{Network, NetworkError, normal};

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
    Teacher(#[from] NetworkError),
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
    let network = cut(&Network::open(teacher)?, plan)?;
    Ok((network.config.clone(), network.to_tensors()))
}

fn cut(teacher: &Network, plan: &StudentPlan) -> Result<Network, StudentError> {
    let has = teacher.config.num_hidden_layers;
    let ascending = plan.layers.windows(2).all(|pair| pair[0] < pair[1]);
    if plan.layers.is_empty() || !ascending || plan.layers.iter().any(|&layer| layer >= has) {
        return Err(StudentError::Layers {
            layers: plan.layers.clone(),
            teacher: has,
        });
    }
    let config = Config {
        num_hidden_layers: plan.layers.len(),
        ..teacher.config.clone()
    };
    let mut network = Network::random(&config, plan.seed);
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    for slot in &network.layout.slots {
        let name = teacher_name(&slot.name, &plan.layers);
        let Some(from) = teacher.layout.slots.iter().find(|other| other.name == name) else {
            continue;
        };
        let values = &teacher.parameters[from.range.clone()];
        let spread = (values.iter().map(|x| x * x).sum::<f32>() / values.len() as f32).sqrt();
        let noise = if slot.dims.len() > 1 {
            plan.noise * spread
        } else {
            0.0
        };
        for (to, &value) in network.parameters[slot.range.clone()]
            .iter_mut()
            .zip(values)
        {
            *to = value + noise * normal(&mut rng);
        }
    }
    Ok(network)
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
