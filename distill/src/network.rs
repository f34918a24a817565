//! A network in training: its configuration and its parameters as one flat vector.

use athanor_model::{Checkpoint, Config, HostTensor, Tensors, checkpoint::CheckpointError};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::cpu::{Layout, LayoutError, Shape};

/// A network that can be trained.
#[derive(Clone)]
pub(crate) struct Network {
    /// The configuration that its checkpoints carry.
    pub(crate) config: Config,
    /// Where each tensor lies in `parameters`.
    pub(crate) layout: Layout,
    /// All parameters.
    pub(crate) parameters: Vec<f32>,
}

/// Why a network cannot be loaded.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// The checkpoint does not open.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its tensors do not fit its configuration.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

impl Network {
    /// Draws fresh weights: normal with deviation 1/sqrt(inputs), the projections that write to the residual stream
    /// scaled down by the root of twice the depth, embeddings with deviation 0.02, gains at one.
    pub(crate) fn random(config: &Config, seed: u64) -> Network {
        let layout = Layout::new(shape(config));
        let mut parameters = vec![0.0; layout.len()];
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let residual = 1.0 / (2.0_f32 * config.num_hidden_layers as f32).sqrt();
        for slot in &layout.slots {
            let deviation = match slot.dims[..] {
                [_] => {
                    parameters[slot.range.clone()].fill(1.0);
                    continue;
                }
                _ if slot.range == layout.embedding || slot.range == layout.head => 0.02,
                [_, inputs, ..] => {
                    let writes = slot.name.contains("o_proj") || slot.name.contains("down_proj");
                    if writes {
                        residual / (inputs as f32).sqrt()
                    } else {
                        1.0 / (inputs as f32).sqrt()
                    }
                }
                [] => continue,
            };
            for parameter in &mut parameters[slot.range.clone()] {
                *parameter = deviation * normal(&mut rng);
            }
        }
        Network {
            config: config.clone(),
            layout,
            parameters,
        }
    }

    /// Loads a checkpoint.
    pub(crate) fn open(checkpoint: &Checkpoint) -> Result<Network, NetworkError> {
        Ok(Network::from_tensors(
            &checkpoint.config,
            &checkpoint.tensors()?,
        )?)
    }

    /// Takes tensors by name.
    pub(crate) fn from_tensors(config: &Config, tensors: &Tensors) -> Result<Network, LayoutError> {
        let layout = Layout::new(shape(config));
        let parameters = layout.gather(|name| {
            tensors
                .get(name)
                .map(|tensor| (&tensor.shape[..], &tensor.data[..]))
        })?;
        Ok(Network {
            config: config.clone(),
            layout,
            parameters,
        })
    }

    /// Hands the tensors out by name.
    pub(crate) fn to_tensors(&self) -> Tensors {
        let mut tensors = Tensors::new();
        for slot in &self.layout.slots {
            let data = self.parameters[slot.range.clone()].to_vec();
            tensors.insert(
                slot.name.clone(),
                HostTensor {
                    shape: slot.dims.clone(),
                    data,
                },
            );
        }
        tensors
    }

    /// All of the network's layers, for a forward pass over the whole of it.
    pub(crate) fn layers(&self) -> Vec<usize> {
        (0..self.config.num_hidden_layers).collect()
    }
}

/// A standard normal draw (Box and Muller).
pub(crate) fn normal(rng: &mut impl Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}

fn shape(config: &Config) -> Shape {
    Shape {
        vocab: config.vocab_size,
        tied: config.tie_word_embeddings,
        width: config.hidden_size,
        layers: config.num_hidden_layers,
        heads: config.num_attention_heads,
        kv_heads: config.num_key_value_heads,
        head_width: config.head_dim,
        hidden: config.intermediate_size,
        rope_theta: config.rope_theta,
        norm_epsilon: config.rms_norm_eps,
    }
}
