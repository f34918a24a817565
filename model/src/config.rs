//! The shape of a model, read from and written as Hugging Face's `config.json` for Llama.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most that any one dimension of a model may be: a bound for what a stranger's file can make us allocate.
const MAX_DIMENSION: usize = 1 << 20;
/// The most layers that a model may have.
const MAX_LAYERS: usize = 512;
/// The largest `config.json` that is read, in bytes.
const MAX_CONFIG_BYTES: usize = 64 << 10;

/// A Llama decoder's dimensions and constants. Names follow Hugging Face's `config.json`.
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
    /// The token that ends a sequence, if the tokenizer has one.
    pub eos_token_id: Option<u32>,
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
    /// Not JSON, a field is missing, or a field is unknown (serde names it).
    #[error("config.json is not a Llama configuration: {0}")]
    Json(#[from] serde_json::Error),
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

/// The file as it is on disk: required fields, checked fields, and fields that do not change what the decoder computes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    architectures: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attention_bias: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attention_dropout: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bos_token_id: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dtype: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    eos_token_id: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head_dim: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hidden_act: Option<String>,
    hidden_size: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    initializer_range: Option<f64>,
    intermediate_size: usize,
    max_position_embeddings: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mlp_bias: Option<bool>,
    model_type: String,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    num_key_value_heads: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pad_token_id: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pretraining_tp: Option<u32>,
    rms_norm_eps: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rope_scaling: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rope_theta: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tie_word_embeddings: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    torch_dtype: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transformers_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    use_cache: Option<bool>,
    vocab_size: usize,
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
        let file: File = serde_json::from_slice(json)?;
        let unsupported = |field, found: String, expected| {
            Err(ConfigError::Unsupported {
                field,
                found,
                expected,
            })
        };
        if file.model_type != "llama" {
            return unsupported("model_type", file.model_type, "\"llama\"");
        }
        if let Some(act) = file.hidden_act.filter(|act| act != "silu") {
            return unsupported("hidden_act", act, "\"silu\"");
        }
        if file.attention_bias == Some(true) {
            return unsupported("attention_bias", "true".into(), "false");
        }
        if file.mlp_bias == Some(true) {
            return unsupported("mlp_bias", "true".into(), "false");
        }
        if let Some(scaling) = file.rope_scaling {
            return unsupported("rope_scaling", scaling.to_string(), "null");
        }
        let heads = file.num_attention_heads;
        let config = Self {
            hidden_size: file.hidden_size,
            intermediate_size: file.intermediate_size,
            num_hidden_layers: file.num_hidden_layers,
            num_attention_heads: heads,
            num_key_value_heads: file.num_key_value_heads.unwrap_or(heads),
            head_dim: file
                .head_dim
                .unwrap_or_else(|| file.hidden_size.checked_div(heads).unwrap_or(0)),
            vocab_size: file.vocab_size,
            max_position_embeddings: file.max_position_embeddings,
            rms_norm_eps: file.rms_norm_eps as f32,
            rope_theta: file.rope_theta.unwrap_or(10_000.0) as f32,
            tie_word_embeddings: file.tie_word_embeddings.unwrap_or(false),
            bos_token_id: file.bos_token_id,
            eos_token_id: file.eos_token_id,
        };
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
        for (field, id) in [
            ("bos_token_id", self.bos_token_id),
            ("eos_token_id", self.eos_token_id),
        ] {
            if let Some(id) = id
                && id as usize >= self.vocab_size
            {
                return fail(field, id as usize, "it must lie below vocab_size");
            }
        }
        Ok(())
    }

    /// The configuration as a `config.json`: the same bytes for the same configuration.
    pub fn to_json(&self) -> Vec<u8> {
        let file = File {
            architectures: Some(vec!["LlamaForCausalLM".into()]),
            attention_bias: Some(false),
            attention_dropout: None,
            bos_token_id: self.bos_token_id,
            dtype: None,
            eos_token_id: self.eos_token_id,
            head_dim: Some(self.head_dim),
            hidden_act: Some("silu".into()),
            hidden_size: self.hidden_size,
            initializer_range: None,
            intermediate_size: self.intermediate_size,
            max_position_embeddings: self.max_position_embeddings,
            mlp_bias: Some(false),
            model_type: "llama".into(),
            num_attention_heads: self.num_attention_heads,
            num_hidden_layers: self.num_hidden_layers,
            num_key_value_heads: Some(self.num_key_value_heads),
            pad_token_id: None,
            pretraining_tp: None,
            rms_norm_eps: f64::from(self.rms_norm_eps),
            rope_scaling: None,
            rope_theta: Some(f64::from(self.rope_theta)),
            tie_word_embeddings: Some(self.tie_word_embeddings),
            torch_dtype: None,
            transformers_version: None,
            use_cache: None,
            vocab_size: self.vocab_size,
        };
        let mut json =
            serde_json::to_vec_pretty(&file).expect("plain numbers and strings serialise");
        json.push(b'\n');
        json
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
