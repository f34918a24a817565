//! Make a teacher narrower: keep the channels and the feed-forward units whose weights are largest.
//!
//! Structured pruning by weight norms, the simplest of the criteria of Muralidharan et al., "Compact language models via
//! pruning and knowledge distillation", 2024; distillation mends what it breaks.

use athanor_model::{
    Config, HostTensor, Tensors,
    tensors::{EMBEDDING, FINAL_NORM},
};
use thiserror::Error;

/// How wide a student is to be; `None` leaves the teacher's width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Widths {
    /// Channels of the residual stream.
    pub hidden: Option<usize>,
    /// Units of each feed-forward layer.
    pub feed_forward: Option<usize>,
}

/// Why a teacher cannot be made narrower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WidthError {
    /// Pruning does not add.
    #[error("a width of {asked} is not in 1..={teacher}, the teacher's")]
    Hidden {
        /// What was asked for.
        asked: usize,
        /// What the teacher has.
        teacher: usize,
    },
    /// Pruning does not add.
    #[error("a feed-forward of {asked} is not in 1..={teacher}, the teacher's")]
    FeedForward {
        /// What was asked for.
        asked: usize,
        /// What the teacher has.
        teacher: usize,
    },
}

impl Widths {
    /// The teacher's configuration with these widths.
    pub(crate) fn of(&self, teacher: &Config) -> Result<Config, WidthError> {
        let (has_hidden, has_units) = (teacher.hidden_size, teacher.intermediate_size);
        let hidden = self.hidden.unwrap_or(has_hidden);
        let units = self.feed_forward.unwrap_or(has_units);
        if hidden == 0 || hidden > has_hidden {
            return Err(WidthError::Hidden {
                asked: hidden,
                teacher: has_hidden,
            });
        }
        if units == 0 || units > has_units {
            return Err(WidthError::FeedForward {
                asked: units,
                teacher: has_units,
            });
        }
        Ok(Config {
            hidden_size: hidden,
            intermediate_size: units,
            ..teacher.clone()
        })
    }

    /// The teacher with the channels and units that weigh most, in their order.
    pub(crate) fn prune(
        &self,
        teacher: &Config,
        weights: &Tensors,
    ) -> Result<(Config, Tensors), WidthError> {
        let config = self.of(teacher)?;
        let channels = heaviest(&channel_norms(teacher, weights), config.hidden_size);
        let mut pruned = Tensors::new();
        for (name, tensor) in weights.iter() {
            pruned.insert(name, keep(name, tensor, &channels, None));
        }
        for layer in 0..teacher.num_hidden_layers {
            let name = |part: &str| format!("model.layers.{layer}.mlp.{part}_proj.weight");
            let parts = ["gate", "up", "down"].map(name);
            let units = unit_norms(teacher, &parts, weights);
            let units = heaviest(&units, config.intermediate_size);
            let biases = parts
                .each_ref()
                .map(|name| name.replace(".weight", ".bias"));
            for name in parts.iter().chain(&biases) {
                if let Some(tensor) = weights.get(name) {
                    pruned.insert(name.as_str(), keep(name, tensor, &channels, Some(&units)));
                }
            }
        }
        Ok((config, pruned))
    }
}

/// Whether a matrix `[out, in]` writes to the residual stream; the others read from it.
fn writes(name: &str) -> bool {
    name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight")
}

/// The summed squares of each channel of the residual stream over all matrices that touch it.
fn channel_norms(config: &Config, weights: &Tensors) -> Vec<f64> {
    let mut norms = vec![0.0; config.hidden_size];
    for (name, tensor) in weights.iter() {
        let [_, columns] = tensor.shape[..] else {
            continue;
        };
        for (at, value) in tensor.data.iter().enumerate() {
            let channel = match writes(name) {
                true => at / columns,
                false => at % columns,
            };
            norms[channel] += f64::from(value * value);
        }
    }
    norms
}

/// What each feed-forward unit of a layer weighs: what it takes in times what it puts out.
fn unit_norms(config: &Config, parts: &[String; 3], weights: &Tensors) -> Vec<f64> {
    let units = config.intermediate_size;
    let squares = |name: &String| {
        let mut norms = vec![0.0; units];
        if let Some(tensor) = weights.get(name) {
            for (at, value) in tensor.data.iter().enumerate() {
                let unit = match writes(name) {
                    true => at % units,
                    false => at / config.hidden_size,
                };
                norms[unit] += f64::from(value * value);
            }
        }
        norms
    };
    let [gate, up, down] = parts.each_ref().map(squares);
    (0..units)
        .map(|unit| (gate[unit] + up[unit]) * down[unit])
        .collect()
}

/// The indices of the largest values, ascending.
fn heaviest(norms: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..norms.len()).collect();
    order.sort_by(|&a, &b| norms[b].total_cmp(&norms[a]).then(a.cmp(&b)));
    order.truncate(count);
    order.sort_unstable();
    order
}

/// A tensor's kept channels and, where it has units that are chosen among, its kept units.
fn keep(
    name: &str,
    tensor: &HostTensor,
    channels: &[usize],
    units: Option<&[usize]>,
) -> HostTensor {
    let [rows, columns] = match tensor.shape[..] {
        [rows, columns] => [rows, columns],
        _ => return keep_vector(name, tensor, channels, units),
    };
    let every = |count: usize| -> Vec<usize> { (0..count).collect() };
    let chosen = |count| units.map_or_else(|| every(count), <[usize]>::to_vec);
    let (rows, kept) = match writes(name) {
        true => (channels.to_vec(), chosen(columns)),
        // The embedding's rows are tokens.
        false if name == EMBEDDING => (every(rows), channels.to_vec()),
        false => (chosen(rows), channels.to_vec()),
    };
    let data = rows
        .iter()
        .flat_map(|row| {
            kept.iter()
                .map(move |column| tensor.data[row * columns + column])
        })
        .collect();
    HostTensor {
        shape: vec![rows.len(), kept.len()],
        data,
    }
}

/// A gain or a bias, which goes with the channels or units that it belongs to; those of the heads stay.
fn keep_vector(
    name: &str,
    vector: &HostTensor,
    channels: &[usize],
    units: Option<&[usize]>,
) -> HostTensor {
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let kept = match units {
        _ if name == FINAL_NORM => channels,
        _ if ends(&["layernorm.weight", "o_proj.bias", "down_proj.bias"]) => channels,
        Some(units) if ends(&["gate_proj.bias", "up_proj.bias"]) => units,
        _ => return vector.clone(),
    };
    HostTensor {
        shape: vec![kept.len()],
        data: kept.iter().map(|&at| vector.data[at]).collect(),
    }
}

#[cfg(test)]
mod tests;
