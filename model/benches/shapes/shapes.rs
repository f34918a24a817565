//! The two shapes, with random weights.

use std::{fs, io, path::Path};

use athanor_model::{Config, Precision, Tensors};

/// A model's shape under the name that the tables give it.
pub(crate) struct Shape {
    /// Number of parameters, roughly.
    pub(crate) name: &'static str,
    hidden: usize,
    layers: usize,
    heads: usize,
    inner: usize,
    vocab: usize,
    /// Sequences of 128 tokens in a training step.
    pub(crate) train_batch: usize,
}

/// A student of a local network, and one that people run on a laptop.
pub(crate) const SHAPES: [Shape; 2] = [
    Shape {
        name: "7M",
        hidden: 256,
        layers: 6,
        heads: 8,
        inner: 704,
        vocab: 4096,
        train_batch: 8,
    },
    Shape {
        name: "134M",
        hidden: 768,
        layers: 12,
        heads: 12,
        inner: 2048,
        vocab: 32_000,
        train_batch: 1,
    },
];

impl Shape {
    /// The shape as a Llama.
    pub(crate) fn config(&self) -> Config {
        Config {
            hidden_size: self.hidden,
            intermediate_size: self.inner,
            num_hidden_layers: self.layers,
            num_attention_heads: self.heads,
            num_key_value_heads: self.heads,
            head_dim: self.hidden / self.heads,
            vocab_size: self.vocab,
            max_position_embeddings: 1024,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            tie_word_embeddings: false,
            bos_token_id: None,
            eos_token_id: Default::default(),
            variant: Default::default(),
        }
    }

    /// Random weights, always the same.
    pub(crate) fn tensors(&self) -> Tensors {
        Tensors::random(&self.config(), 1)
    }

    /// Token ids below the vocabulary's size, always the same.
    pub(crate) fn ids(&self, count: usize) -> impl Iterator<Item = u32> {
        let vocab = self.vocab;
        (0..count).map(move |i| (i * 7919 % vocab) as u32)
    }

    /// Writes configuration and weights as Hugging Face's tools read them.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        fs::write(dir.join("config.json"), self.config().to_json())?;
        let weights = self.tensors().to_safetensors(Precision::F32);
        fs::write(dir.join("model.safetensors"), weights)
    }
}
