//! The shape of a model, read from and written as Hugging Face's `config.json`.
//!
//! Llama, Mistral, Qwen2 and Qwen3 are one decoder with a few differences, which [`Variant`] holds.

mod file;
mod rope_scaling;
mod stop;
mod variant;

use thiserror::Error;

pub use rope_scaling::{Llama3Scaling, RopeScaling, YarnScaling};
pub use stop::StopTokens;
pub use variant::{Family, Variant, Window};

/// The most that any one dimension of a model may be: a bound for what a stranger's file can make us allocate.
const MAX_DIMENSION: usize = 1 << 20;
/// The most layers that a model may have.
const MAX_LAYERS: usize = 512;
/// The largest `config.json` that is read, in bytes.
pub const MAX_CONFIG_BYTES: usize = 64 << 10;
/// The most values that the table of the rotary embedding may have, positions times the width of a head: a bound for what
/// two numbers in a file can make us allocate. A million positions of heads of 128 are within it.
const MAX_ROTARY: usize = 1 << 27;

/// A decoder's dimensions and constants. Names follow Hugging Face's `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layer (of each of its two halves).
    pub intermediate_size: usize,
    /// Number of decoder layers.
    pub num_hidden_layers: usize,
    /// Number of query heads.
    pub num_attention_heads: usize,
    /// Number of key and value heads; divides `num_attention_heads`.
    pub num_key_value_heads: usize,
    /// Width of one head; even.
    pub head_dim: usize,
    /// Number of token ids.
    pub vocab_size: usize,
    /// The longest sequence, in tokens, that the model was made for.
    pub max_position_embeddings: usize,
    /// Added to the mean square before the root in every normalisation.
    pub rms_norm_eps: f32,
    /// Base of the rotary embedding's frequencies.
    pub rope_theta: f32,
    /// Whether the output projection is the embedding itself.
    pub tie_word_embeddings: bool,
    /// The token that opens a sequence, if the tokenizer has one.
    pub bos_token_id: Option<u32>,
    /// The tokens that end a sequence: all that `config.json` and `generation_config.json` list.
    pub eos_token_id: StopTokens,
    /// What sets the family's decoder apart from plain Llama.
    pub variant: Variant,
}

/// Why a `config.json` is not a model that this crate runs.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is larger than any honest one.
    #[error("config.json has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// Size of the file.
        bytes: usize,
        /// The most that is read.
        limit: usize,
    },
    /// Not JSON, or a field is missing or of the wrong type (serde names it).
    #[error("config.json is not a model configuration: {0}")]
    Json(#[from] serde_json::Error),
    /// A field that this crate does not know: it might change what the model computes.
    #[error("config.json: the field {field} is unknown, and may change what the model computes")]
    Unknown {
        /// Name of the field.
        field: String,
    },
    /// A field asks for something that the decoder does not do.
    #[error("config.json: {field} = {found} is not supported; expected {expected}")]
    Unsupported {
        /// Name of the field.
        field: &'static str,
        /// What the file says.
        found: String,
        /// What is supported.
        expected: &'static str,
    },
    /// A number is zero, too large, or does not fit another one.
    #[error("config.json: {field} = {found} does not work: {expected}")]
    Dimension {
        /// Name of the field.
        field: &'static str,
        /// What the file says.
        found: usize,
        /// The rule that it breaks.
        expected: &'static str,
    },
}

impl Config {
    /// Reads a `config.json` and checks every number in it.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        if json.len() > MAX_CONFIG_BYTES {
            return Err(ConfigError::TooLarge {
                bytes: json.len(),
                limit: MAX_CONFIG_BYTES,
            });
        }
        let config = file::parse(json)?;
        config.check()?;
        Ok(config)
    }

    /// Checks that the numbers describe a decoder that can be built.
    pub fn check(&self) -> Result<(), ConfigError> {
        let fail = |field, found, expected| {
            Err(ConfigError::Dimension {
                field,
                found,
                expected,
            })
        };
        for (field, found) in [
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("head_dim", self.head_dim),
            ("vocab_size", self.vocab_size),
            ("max_position_embeddings", self.max_position_embeddings),
        ] {
            if found == 0 || found > MAX_DIMENSION {
                return fail(field, found, "it must lie in 1..=1048576");
            }
        }
        if self.num_hidden_layers == 0 || self.num_hidden_layers > MAX_LAYERS {
            return fail(
                "num_hidden_layers",
                self.num_hidden_layers,
                "it must lie in 1..=512",
            );
        }
        if !self
            .num_attention_heads
            .is_multiple_of(self.num_key_value_heads)
        {
            return fail(
                "num_key_value_heads",
                self.num_key_value_heads,
                "it must divide num_attention_heads",
            );
        }
        if !self.head_dim.is_multiple_of(2) {
            return fail("head_dim", self.head_dim, "it must be even");
        }
        if self.max_position_embeddings * self.head_dim > MAX_ROTARY {
            return fail(
                "max_position_embeddings",
                self.max_position_embeddings,
                "times head_dim it must not exceed 134217728",
            );
        }
        for (field, value) in [
            ("rms_norm_eps", self.rms_norm_eps),
            ("rope_theta", self.rope_theta),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return Err(ConfigError::Unsupported {
                    field,
                    found: value.to_string(),
                    expected: "a positive number",
                });
            }
        }
        self.variant.check(self.num_hidden_layers)?;
        let begins = self.bos_token_id.map(|id| ("bos_token_id", id));
        let ends = self.eos_token_id.iter().map(|id| ("eos_token_id", id));
        let mut ids = begins.into_iter().chain(ends);
        match ids.find(|(_, id)| *id as usize >= self.vocab_size) {
            Some((field, id)) => fail(field, id as usize, "it must lie below vocab_size"),
            None => Ok(()),
        }
    }

    /// Adds the tokens that a `generation_config.json` lets an answer end with; everything else in it is about drawing,
    /// which a request says for itself.
    pub fn take_generation(&mut self, json: &[u8]) -> Result<(), ConfigError> {
        if json.len() > MAX_CONFIG_BYTES {
            return Err(ConfigError::TooLarge {
                bytes: json.len(),
                limit: MAX_CONFIG_BYTES,
            });
        }
        self.eos_token_id
            .extend(file::generation_ends(json)?.iter());
        self.check()
    }

    /// The configuration as a `config.json`: the same bytes for the same configuration.
    pub fn to_json(&self) -> Vec<u8> {
        file::write(self)
    }

    /// The configuration of the decoder that has these of the layers only, ascending.
    ///
    /// # Panics
    /// When there is no such layer.
    pub fn with_layers(&self, layers: &[usize]) -> Self {
        let mut config = Self {
            num_hidden_layers: layers.len(),
            ..self.clone()
        };
        if let Some(window) = &mut config.variant.window {
            window.layers = layers.iter().map(|&layer| window.layers[layer]).collect();
        }
        config
    }

    /// Width of all query heads together.
    pub fn query_width(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Width of all key (or value) heads together.
    pub fn key_width(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }

    /// Number of parameters, embeddings counted once when tied.
    pub fn parameters(&self) -> u64 {
        crate::tensors::expected(self)
            .map(|(_, shape)| shape.iter().map(|&n| n as u64).product::<u64>())
            .sum()
    }
}

#[cfg(test)]
pub(crate) mod tests;
