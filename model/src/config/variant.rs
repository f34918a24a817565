//! What sets a family's decoder apart from plain Llama.

use super::{ConfigError, RopeScaling};

/// The families of decoders that this crate runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Llama 2 and 3, SmolLM, and whatever else calls itself `llama`.
    #[default]
    Llama,
    /// Mistral: Llama with a sliding window.
    Mistral,
    /// Qwen2 and Qwen2.5: biases on queries, keys and values.
    Qwen2,
    /// Qwen3 (dense): normalised queries and keys.
    Qwen3,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Llama, Self::Mistral, Self::Qwen2, Self::Qwen3];

    /// The `model_type` of `config.json`.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }

    /// The entry of `architectures` in `config.json`.
    pub fn architecture(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Mistral => "MistralForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
            Self::Qwen3 => "Qwen3ForCausalLM",
        }
    }
}

/// Layers whose tokens see only the most recent ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many tokens a token sees, itself included.
    pub tokens: usize,
    /// For each layer, whether it has the window.
    pub layers: Vec<bool>,
}

/// The differences between families; the default is plain Llama.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variant {
    /// The family that the file names.
    pub family: Family,
    /// Whether the projections to queries, keys and values have biases.
    pub qkv_bias: bool,
    /// Whether the attention's output projection has a bias.
    pub output_bias: bool,
    /// Whether each head of queries and keys is normalised before its rotation (Qwen3).
    pub qk_norm: bool,
    /// How the rotary frequencies were changed for longer contexts.
    pub rope_scaling: RopeScaling,
    /// Layers with a sliding window.
    pub window: Option<Window>,
}

impl Variant {
    /// How many tokens a token of this layer sees, itself included; `None` for all earlier ones.
    pub fn window(&self, layer: usize) -> Option<usize> {
        let window = self.window.as_ref()?;
        window
            .layers
            .get(layer)
            .copied()
            .unwrap_or(false)
            .then_some(window.tokens)
    }

    pub(super) fn check(&self, layers: usize) -> Result<(), ConfigError> {
        self.rope_scaling.check()?;
        let Some(window) = &self.window else {
            return Ok(());
        };
        if window.tokens == 0 {
            return Err(ConfigError::Dimension {
                field: "sliding_window",
                found: 0,
                expected: "it must be at least 1",
            });
        }
        if window.layers.len() != layers {
            return Err(ConfigError::Dimension {
                field: "layer_types",
                found: window.layers.len(),
                expected: "it must name one type for each of num_hidden_layers",
            });
        }
        Ok(())
    }
}
