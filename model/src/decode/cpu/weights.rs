//! A model's weights in the layout that the kernels read.

use crate::{
    config::Config,
    kernels::packed::{Packed, WeightFormat},
    tensors::{EMBEDDING, FINAL_NORM, HEAD, Tensors, TensorsError},
    transformer::rope::RopeTable,
};

/// A model's weights in the layout that the kernels read.
pub(crate) struct CpuWeights {
    pub(super) config: Config,
    pub(super) rope: RopeTable,
    /// `[vocab, hidden]`.
    pub(super) embedding: Vec<f32>,
    pub(super) layers: Vec<Layer>,
    pub(super) norm: Vec<f32>,
    pub(super) head: Packed,
}

pub(super) struct Layer {
    pub(super) attention_norm: Vec<f32>,
    /// Queries, keys and values side by side.
    pub(super) qkv: Packed,
    /// Likewise side by side.
    pub(super) qkv_bias: Option<Vec<f32>>,
    /// Gains of each head of the queries, and of the keys.
    pub(super) qk_norm: Option<[Vec<f32>; 2]>,
    /// How many tokens a token sees, itself included.
    pub(super) window: Option<usize>,
    pub(super) o: Packed,
    pub(super) o_bias: Option<Vec<f32>>,
    pub(super) ffn_norm: Vec<f32>,
    /// Gate and up side by side.
    pub(super) gate_up: Packed,
    pub(super) down: Packed,
}

impl CpuWeights {
    pub(crate) fn new(
        config: &Config,
        tensors: &Tensors,
        format: WeightFormat,
    ) -> Result<Self, TensorsError> {
        tensors.check(config)?;
        let get = |name: &str| {
            let tensor = tensors.get(name);
            tensor
                .expect("check found every tensor of the configuration")
                .data
                .as_slice()
        };
        let (d, variant) = (config.hidden_size, &config.variant);
        let layers = (0..config.num_hidden_layers).map(|index| {
            let any = |rest: &str| get(&format!("model.layers.{index}.{rest}"));
            let get = |rest: &str| any(&format!("{rest}.weight"));
            let qkv = ["q", "k", "v"].map(|part| get(&format!("self_attn.{part}_proj")));
            let qkv_bias =
                || ["q", "k", "v"].map(|part| any(&format!("self_attn.{part}_proj.bias")));
            let qk_norm = || ["q", "k"].map(|part| get(&format!("self_attn.{part}_norm")).to_vec());
            let o_bias = || any("self_attn.o_proj.bias").to_vec();
            let gate_up = ["gate", "up"].map(|part| get(&format!("mlp.{part}_proj")));
            let (o, down) = (get("self_attn.o_proj"), get("mlp.down_proj"));
            Layer {
                attention_norm: get("input_layernorm").to_vec(),
                qkv: Packed::new(d, &qkv, format),
                qkv_bias: variant.qkv_bias.then(|| qkv_bias().concat()),
                qk_norm: variant.qk_norm.then(qk_norm),
                window: variant.window(index),
                o: Packed::new(config.query_width(), &[o], format),
                o_bias: variant.output_bias.then(o_bias),
                ffn_norm: get("post_attention_layernorm").to_vec(),
                gate_up: Packed::new(d, &gate_up, format),
                down: Packed::new(config.intermediate_size, &[down], format),
            }
        });
        let head = match config.tie_word_embeddings {
            true => EMBEDDING,
            false => HEAD,
        };
        Ok(Self {
            rope: RopeTable::new(config),
            embedding: get(EMBEDDING).to_vec(),
            layers: layers.collect(),
            norm: get(FINAL_NORM).to_vec(),
            head: Packed::new(d, &[get(head)], format),
            config: config.clone(),
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Bytes of weights that a decode step reads, whatever the batch.
    pub(crate) fn bytes(&self) -> usize {
        let layers = self
            .layers
            .iter()
            .map(|layer| [&layer.qkv, &layer.o, &layer.gate_up, &layer.down].map(Packed::bytes));
        layers.flatten().sum::<usize>() + self.head.bytes()
    }

    /// Multiplications of one token in the layers' matrices.
    pub(super) fn work_per_token(&self) -> usize {
        let Config {
            hidden_size: d,
            intermediate_size: f,
            ..
        } = self.config;
        let attention = 2 * (self.config.query_width() + self.config.key_width());
        self.layers.len() * d * (attention + 3 * f)
    }
}
