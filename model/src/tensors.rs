//! A model's weights on the host, named as Hugging Face names them, and their safetensors file.

use std::collections::BTreeMap;

use half::{bf16, f16};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView, serialize};
use thiserror::Error;

use crate::config::Config;

/// The largest safetensors header that is read, in bytes: the format allows 100 MB, an honest file needs kilobytes.
pub const MAX_HEADER_BYTES: u64 = 4 << 20;

/// One tensor: row-major values in f32, whatever the file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// Extent of each dimension, outermost first.
    pub shape: Vec<usize>,
    /// Row-major values; as many as the shape's product.
    pub data: Vec<f32>,
}

/// A model's tensors by Hugging Face name, e.g. `model.layers.0.self_attn.q_proj.weight` with shape `[out, in]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensors(BTreeMap<String, HostTensor>);

/// How values are written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Four bytes, exact.
    F32,
    /// Two bytes, rounded to nearest.
    F16,
}

/// Why a set of tensors cannot be read or does not fit a configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TensorsError {
    /// The header's declared length is beyond what is read.
    #[error("safetensors header declares {bytes} bytes; at most {limit} are read")]
    HeaderTooLarge {
        /// Declared length.
        bytes: u64,
        /// The most that is read.
        limit: u64,
    },
    /// The file breaks a rule of the format (offsets, sizes, JSON).
    #[error("not a valid safetensors file: {0}")]
    Format(#[source] SafeTensorError),
    /// A tensor holds something other than f32, f16 or bf16.
    #[error("tensor {name} has type {dtype}; f32, f16 and bf16 are read")]
    Dtype {
        /// Name of the tensor.
        name: String,
        /// Its type as the file spells it.
        dtype: String,
    },
    /// A tensor that the configuration asks for is not there.
    #[error("tensor {name} is missing")]
    Missing {
        /// Name of the tensor.
        name: String,
    },
    /// A tensor that the configuration has no place for.
    #[error("tensor {name} has no place in this configuration")]
    Unexpected {
        /// Name of the tensor.
        name: String,
    },
    /// A tensor's extents differ from what the configuration asks for.
    #[error("tensor {name} has shape {found:?}, the configuration asks for {expected:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Extents in the file.
        found: Vec<usize>,
        /// Extents by the configuration.
        expected: Vec<usize>,
    },
    /// A tensor holds a value that is infinite or not a number.
    #[error("tensor {name} holds a value that is not finite")]
    NotFinite {
        /// Name of the tensor.
        name: String,
    },
}

/// Name of the token embedding, shape `[vocab, hidden]`.
pub const EMBEDDING: &str = "model.embed_tokens.weight";
/// Name of the last normalisation's gain, shape `[hidden]`.
pub const FINAL_NORM: &str = "model.norm.weight";
/// Name of the output projection, shape `[vocab, hidden]`; absent when embeddings are tied.
pub const HEAD: &str = "lm_head.weight";

/// The tensors of one layer: the rest of the name after `model.layers.N.`, and the shape.
pub fn expected_in_layer(config: &Config) -> Vec<(&'static str, Vec<usize>)> {
    let (d, q, k, f) = (
        config.hidden_size,
        config.query_width(),
        config.key_width(),
        config.intermediate_size,
    );
    let variant = &config.variant;
    let mut tensors = vec![
        ("input_layernorm.weight", vec![d]),
        ("self_attn.q_proj.weight", vec![q, d]),
        ("self_attn.k_proj.weight", vec![k, d]),
        ("self_attn.v_proj.weight", vec![k, d]),
        ("self_attn.o_proj.weight", vec![d, q]),
        ("post_attention_layernorm.weight", vec![d]),
        ("mlp.gate_proj.weight", vec![f, d]),
        ("mlp.up_proj.weight", vec![f, d]),
        ("mlp.down_proj.weight", vec![d, f]),
    ];
    if variant.qkv_bias {
        tensors.extend([
            ("self_attn.q_proj.bias", vec![q]),
            ("self_attn.k_proj.bias", vec![k]),
            ("self_attn.v_proj.bias", vec![k]),
        ]);
    }
    if variant.output_bias {
        tensors.push(("self_attn.o_proj.bias", vec![d]));
    }
    if variant.qk_norm {
        tensors.extend([
            ("self_attn.q_norm.weight", vec![config.head_dim]),
            ("self_attn.k_norm.weight", vec![config.head_dim]),
        ]);
    }
    tensors
}

/// Every tensor that a configuration asks for, with its shape.
pub fn expected(config: &Config) -> impl Iterator<Item = (String, Vec<usize>)> {
    let table = vec![config.vocab_size, config.hidden_size];
    let head = (!config.tie_word_embeddings).then(|| (HEAD.to_owned(), table.clone()));
    let layer = expected_in_layer(config);
    [
        (EMBEDDING.to_owned(), table),
        (FINAL_NORM.to_owned(), vec![config.hidden_size]),
    ]
    .into_iter()
    .chain(head)
    .chain((0..config.num_hidden_layers).flat_map(move |index| {
        let named = |(rest, shape)| (format!("model.layers.{index}.{rest}"), shape);
        layer.clone().into_iter().map(named).collect::<Vec<_>>()
    }))
}

impl Tensors {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Weights drawn from a seed: normal with deviation 0.02, the projections that write to the residual stream
    /// scaled down by the root of twice the depth (GPT-2's rule), gains at one, biases at zero.
    pub fn random(config: &Config, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let residual = 0.02 / (2.0 * config.num_hidden_layers as f32).sqrt();
        // A sorted order, so that the draws do not depend on how the list is written.
        let names: BTreeMap<String, Vec<usize>> = expected(config).collect();
        let tensors = names.into_iter().map(|(name, shape)| {
            let len = shape.iter().product();
            let data = if name.ends_with(".bias") {
                vec![0.0; len]
            } else if shape.len() == 1 {
                vec![1.0; len]
            } else if name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight") {
                normal(&mut rng, residual, len)
            } else {
                normal(&mut rng, 0.02, len)
            };
            (name, HostTensor { shape, data })
        });
        Self(tensors.collect())
    }

    /// The tensor of that name.
    pub fn get(&self, name: &str) -> Option<&HostTensor> {
        self.0.get(name)
    }

    /// Adds or replaces a tensor.
    ///
    /// # Panics
    /// When the number of values is not the product of the shape.
    pub fn insert(&mut self, name: impl Into<String>, tensor: HostTensor) {
        assert_eq!(
            tensor.shape.iter().product::<usize>(),
            tensor.data.len(),
            "a tensor has as many values as its shape says"
        );
        self.0.insert(name.into(), tensor);
    }

    /// Takes a tensor out.
    pub fn remove(&mut self, name: &str) -> Option<HostTensor> {
        self.0.remove(name)
    }

    /// Moves another set's tensors in; the name of a tensor that both have, if there is one.
    pub(crate) fn absorb(&mut self, other: Self) -> Option<String> {
        let twice = other.0.keys().find(|name| self.0.contains_key(*name));
        let twice = twice.cloned();
        self.0.extend(other.0);
        twice
    }

    /// All tensors in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &HostTensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that exactly the tensors that the configuration asks for are there, in shape and finite.
    pub fn check(&self, config: &Config) -> Result<(), TensorsError> {
        let wanted: BTreeMap<String, Vec<usize>> = expected(config).collect();
        for (name, expected) in &wanted {
            let tensor = self
                .0
                .get(name)
                .ok_or_else(|| TensorsError::Missing { name: name.clone() })?;
            if tensor.shape != *expected {
                return Err(TensorsError::Shape {
                    name: name.clone(),
                    found: tensor.shape.clone(),
                    expected: expected.clone(),
                });
            }
            if tensor.data.iter().any(|value| !value.is_finite()) {
                return Err(TensorsError::NotFinite { name: name.clone() });
            }
        }
        match self.0.keys().find(|name| !wanted.contains_key(*name)) {
            Some(name) => Err(TensorsError::Unexpected { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// Reads a safetensors file that lies in memory.
    pub fn from_safetensors(file: &[u8]) -> Result<Self, TensorsError> {
        if let Some(length) = file.first_chunk::<8>() {
            let bytes = u64::from_le_bytes(*length);
            if bytes > MAX_HEADER_BYTES {
                return Err(TensorsError::HeaderTooLarge {
                    bytes,
                    limit: MAX_HEADER_BYTES,
                });
            }
        }
        let parsed = SafeTensors::deserialize(file).map_err(TensorsError::Format)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in parsed.iter() {
            let data = decode(name, &view)?;
            let shape = view.shape().to_vec();
            tensors.insert(name.to_owned(), HostTensor { shape, data });
        }
        Ok(Self(tensors))
    }

    /// Writes a safetensors file: the same bytes for the same tensors.
    pub fn to_safetensors(&self, precision: Precision) -> Vec<u8> {
        let encoded: Vec<(&str, &[usize], Vec<u8>)> = self
            .iter()
            .map(|(name, tensor)| {
                (
                    name,
                    tensor.shape.as_slice(),
                    encode(&tensor.data, precision),
                )
            })
            .collect();
        let dtype = match precision {
            Precision::F32 => Dtype::F32,
            Precision::F16 => Dtype::F16,
        };
        let views = encoded.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(dtype, shape.to_vec(), bytes)
                .expect("insert checked that the values fill the shape");
            (*name, view)
        });
        serialize(views, None).expect("named f32 or f16 tensors of a checked size serialise")
    }

    /// Hash of names, shapes and values in the order of names, whatever files hold them: two models with equal
    /// tensors have equal digests, however they were sharded or in which precision they were written.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("athanor 2026 tensor contents");
        let mut bytes = Vec::new();
        for (name, tensor) in self.iter() {
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            hasher.update(&(tensor.shape.len() as u64).to_le_bytes());
            for &extent in &tensor.shape {
                hasher.update(&(extent as u64).to_le_bytes());
            }
            bytes.clear();
            bytes.extend(tensor.data.iter().flat_map(|value| value.to_le_bytes()));
            hasher.update(&bytes);
        }
        hasher.finalize().into()
    }
}

fn decode(name: &str, view: &TensorView<'_>) -> Result<Vec<f32>, TensorsError> {
    let pairs = || {
        view.data()
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
    };
    match view.dtype() {
        Dtype::F32 => Ok(view
            .data()
            .chunks_exact(4)
            .map(|quad| f32::from_le_bytes([quad[0], quad[1], quad[2], quad[3]]))
            .collect()),
        Dtype::F16 => Ok(pairs().map(|bits| f16::from_bits(bits).to_f32()).collect()),
        Dtype::BF16 => Ok(pairs().map(|bits| bf16::from_bits(bits).to_f32()).collect()),
        other => Err(TensorsError::Dtype {
            name: name.to_owned(),
            dtype: other.to_string(),
        }),
    }
}

fn encode(data: &[f32], precision: Precision) -> Vec<u8> {
    match precision {
        Precision::F32 => data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Precision::F16 => data
            .iter()
            .flat_map(|value| f16::from_f32(*value).to_le_bytes())
            .collect(),
    }
}

/// Normal draws by Box and Muller's formula.
fn normal(rng: &mut ChaCha8Rng, deviation: f32, len: usize) -> Vec<f32> {
    (0..len.div_ceil(2))
        .flat_map(|_| {
            // 1 - u lies in (0, 1], where the logarithm is finite.
            let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt() * deviation;
            let (sin, cos) = (std::f32::consts::TAU * rng.random::<f32>()).sin_cos();
            [radius * cos, radius * sin]
        })
        .take(len)
        .collect()
}

#[cfg(test)]
mod tests;
