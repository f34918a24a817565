//! The decoder: the layers of Llama and its relatives over any [`ModelBackend`].
//!
//! Matrices are kept as `[in, out]`, the transpose of the file's layout: then neither the forward product nor
//! the gradient of a weight needs a transposed copy.

pub(crate) mod cached;
pub mod rope;
pub mod sequences;

use std::sync::Arc;

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Int, Tensor, TensorData, backend::Backend};

use crate::backend::{AttentionShape, ModelBackend};
use crate::config::Config;
use crate::tensors::{EMBEDDING, FINAL_NORM, HEAD, HostTensor, Tensors, TensorsError};
use rope::RopeTable;
use sequences::Sequences;

/// A decoder with its weights on one device.
#[derive(Module, Debug)]
pub struct Transformer<B: Backend> {
    embedding: Param<Tensor<B, 2>>,
    layers: Vec<Layer<B>>,
    norm: Param<Tensor<B, 1>>,
    /// `[hidden, vocab]`; `None` when the embedding is tied.
    head: Option<Param<Tensor<B, 2>>>,
    shape: Shape,
}

/// What the layers need to know beside their weights.
#[derive(Clone, Debug)]
struct Shape {
    config: Config,
    rope: Arc<RopeTable>,
}

/// One decoder layer: attention, then the gated feed-forward, each behind a normalisation and around a residual.
#[derive(Module, Debug)]
struct Layer<B: Backend> {
    attention_norm: Param<Tensor<B, 1>>,
    q: Param<Tensor<B, 2>>,
    k: Param<Tensor<B, 2>>,
    v: Param<Tensor<B, 2>>,
    o: Param<Tensor<B, 2>>,
    ffn_norm: Param<Tensor<B, 1>>,
    gate: Param<Tensor<B, 2>>,
    up: Param<Tensor<B, 2>>,
    down: Param<Tensor<B, 2>>,
    extra: Extra<B>,
}

/// Parameters that only some families have.
#[derive(Module, Debug)]
struct Extra<B: Backend> {
    q_bias: Option<Param<Tensor<B, 1>>>,
    k_bias: Option<Param<Tensor<B, 1>>>,
    v_bias: Option<Param<Tensor<B, 1>>>,
    o_bias: Option<Param<Tensor<B, 1>>>,
    /// Gain of every query head.
    q_norm: Option<Param<Tensor<B, 1>>>,
    /// Gain of every key head.
    k_norm: Option<Param<Tensor<B, 1>>>,
}

impl<B: ModelBackend> Transformer<B> {
    /// Puts weights on a device. Exactly the tensors that the configuration asks for must be there.
    pub fn from_tensors(
        config: &Config,
        tensors: &Tensors,
        device: &B::Device,
    ) -> Result<Self, TensorsError> {
        tensors.check(config)?;
        let get = |name: &str| {
            tensors
                .get(name)
                .expect("check found every tensor of the configuration")
        };
        let vector = |name: &str| {
            let tensor = get(name);
            let data = TensorData::new(tensor.data.clone(), [tensor.data.len()]);
            parameter(name, data, device)
        };
        let table = |tensor: &HostTensor| {
            let [rows, columns] = [tensor.shape[0], tensor.shape[1]];
            TensorData::new(tensor.data.clone(), [rows, columns])
        };
        let matrix = |name: &str| {
            let tensor = get(name);
            parameter(name, table(&transposed(tensor)), device)
        };
        let layers = (0..config.num_hidden_layers).map(|index| {
            let name = |rest: &str| format!("model.layers.{index}.{rest}.weight");
            let variant = &config.variant;
            let bias =
                |part: &str| vector(&format!("model.layers.{index}.self_attn.{part}_proj.bias"));
            Layer {
                attention_norm: vector(&name("input_layernorm")),
                q: matrix(&name("self_attn.q_proj")),
                k: matrix(&name("self_attn.k_proj")),
                v: matrix(&name("self_attn.v_proj")),
                o: matrix(&name("self_attn.o_proj")),
                ffn_norm: vector(&name("post_attention_layernorm")),
                gate: matrix(&name("mlp.gate_proj")),
                up: matrix(&name("mlp.up_proj")),
                down: matrix(&name("mlp.down_proj")),
                extra: Extra {
                    q_bias: variant.qkv_bias.then(|| bias("q")),
                    k_bias: variant.qkv_bias.then(|| bias("k")),
                    v_bias: variant.qkv_bias.then(|| bias("v")),
                    o_bias: variant.output_bias.then(|| bias("o")),
                    q_norm: variant.qk_norm.then(|| vector(&name("self_attn.q_norm"))),
                    k_norm: variant.qk_norm.then(|| vector(&name("self_attn.k_norm"))),
                },
            }
        });
        Ok(Self {
            embedding: parameter(EMBEDDING, table(get(EMBEDDING)), device),
            layers: layers.collect(),
            norm: vector(FINAL_NORM),
            head: (!config.tie_word_embeddings).then(|| matrix(HEAD)),
            shape: Shape {
                rope: Arc::new(RopeTable::new(config)),
                config: config.clone(),
            },
        })
    }

    /// A decoder with weights drawn from a seed ([`Tensors::random`]).
    pub fn random(config: &Config, seed: u64, device: &B::Device) -> Self {
        Self::from_tensors(config, &Tensors::random(config, seed), device)
            .expect("random weights are drawn to the configuration")
    }

    /// Copies the weights to the host, in the layout of the file.
    pub fn to_tensors(&self) -> Tensors {
        let mut tensors = Tensors::new();
        let mut put = |name: String, shape: Vec<usize>, data: TensorData| {
            let data = data
                .convert::<f32>()
                .into_vec()
                .expect("the data was just converted to f32");
            tensors.insert(name, HostTensor { shape, data });
        };
        let vector = |param: &Param<Tensor<B, 1>>| {
            let value = param.val();
            (value.dims().to_vec(), value.into_data())
        };
        let matrix = |param: &Param<Tensor<B, 2>>| {
            let value = param.val().transpose();
            (value.dims().to_vec(), value.into_data())
        };
        let embedding = self.embedding.val();
        put(
            EMBEDDING.into(),
            embedding.dims().to_vec(),
            embedding.into_data(),
        );
        let (shape, data) = vector(&self.norm);
        put(FINAL_NORM.into(), shape, data);
        if let Some(head) = &self.head {
            let (shape, data) = matrix(head);
            put(HEAD.into(), shape, data);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            for (rest, param) in [
                ("input_layernorm", &layer.attention_norm),
                ("post_attention_layernorm", &layer.ffn_norm),
            ] {
                let (shape, data) = vector(param);
                put(format!("model.layers.{index}.{rest}.weight"), shape, data);
            }
            let extra = &layer.extra;
            for (rest, param) in [
                ("q_proj.bias", &extra.q_bias),
                ("k_proj.bias", &extra.k_bias),
                ("v_proj.bias", &extra.v_bias),
                ("o_proj.bias", &extra.o_bias),
                ("q_norm.weight", &extra.q_norm),
                ("k_norm.weight", &extra.k_norm),
            ] {
                if let Some(param) = param {
                    let (shape, data) = vector(param);
                    put(
                        format!("model.layers.{index}.self_attn.{rest}"),
                        shape,
                        data,
                    );
                }
            }
            for (rest, param) in [
                ("self_attn.q_proj", &layer.q),
                ("self_attn.k_proj", &layer.k),
                ("self_attn.v_proj", &layer.v),
                ("self_attn.o_proj", &layer.o),
                ("mlp.gate_proj", &layer.gate),
                ("mlp.up_proj", &layer.up),
                ("mlp.down_proj", &layer.down),
            ] {
                let (shape, data) = matrix(param);
                put(format!("model.layers.{index}.{rest}.weight"), shape, data);
            }
        }
        tensors
    }

    /// The configuration that the decoder was built from.
    pub fn config(&self) -> &Config {
        &self.shape.config
    }

    /// The device that holds the weights.
    pub fn device(&self) -> B::Device {
        self.norm.val().device()
    }

    /// The decoder that runs these layers only, ascending, over the same parameters: a gradient of its output is one of
    /// this decoder's parameters.
    ///
    /// # Panics
    /// When there is no such layer.
    pub fn with_layers(&self, layers: &[usize]) -> Self {
        let config = self.shape.config.with_layers(layers);
        Self {
            layers: layers.iter().map(|&at| self.layers[at].clone()).collect(),
            shape: Shape {
                config,
                rope: self.shape.rope.clone(),
            },
            ..self.clone()
        }
    }

    /// Logits of every position, `[batch, time, vocab]`, for tokens `[batch, time]` that start at position zero.
    ///
    /// # Panics
    /// When a sequence is longer than `max_position_embeddings`.
    pub fn forward(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 3> {
        let [batch, time] = tokens.dims();
        let logits = self.logits(self.hidden(tokens));
        let vocab = logits.dims()[1];
        logits.reshape([batch, time, vocab])
    }

    /// The normalised residual stream before the output projection, `[batch * time, hidden]`: for a caller that
    /// wants the logits of some rows only ([`Self::logits`]).
    pub fn hidden(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 2> {
        let [batch, time] = tokens.dims();
        let sequences = Sequences::equal(batch, time);
        self.hidden_of(tokens.reshape([batch * time]), &sequences)
    }

    /// [`Self::hidden`] of sequences of any lengths, `[rows, hidden]`, for their tokens one after the other, `[rows]`.
    pub fn hidden_of(&self, tokens: Tensor<B, 1, Int>, sequences: &Sequences) -> Tensor<B, 2> {
        let config = &self.shape.config;
        let longest = sequences.longest();
        assert!(
            longest <= self.shape.rope.positions(),
            "a sequence of {longest} tokens exceeds max_position_embeddings"
        );
        let attention = AttentionShape {
            sequences: sequences.clone(),
            heads: config.num_attention_heads,
            key_heads: config.num_key_value_heads,
            head_dim: config.head_dim,
            window: None,
        };
        let mut x = self.embedding.val().select(0, tokens);
        for (index, layer) in self.layers.iter().enumerate() {
            let attention = AttentionShape {
                window: config.variant.window(index),
                ..attention.clone()
            };
            x = layer.forward(x, &self.shape, attention);
        }
        B::rms_norm(x, self.norm.val(), config.rms_norm_eps)
    }

    /// The output projection: `[n, hidden]` to `[n, vocab]`.
    pub fn logits(&self, hidden: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.head {
            Some(head) => B::project(hidden, head.val()),
            None => B::project(hidden, self.embedding.val().transpose()),
        }
    }
}

impl<B: ModelBackend> Layer<B> {
    fn forward(&self, x: Tensor<B, 2>, shape: &Shape, attention: AttentionShape) -> Tensor<B, 2> {
        let eps = shape.config.rms_norm_eps;
        let h = B::rms_norm(x.clone(), self.attention_norm.val(), eps);
        let [q, k, v] = self.project(h, eps);
        let mixed = B::causal_attention(q, k, v, &shape.rope, attention);
        let x = x + self.project_back(mixed);
        let h = B::rms_norm(x.clone(), self.ffn_norm.val(), eps);
        let gate = B::project(h.clone(), self.gate.val());
        let up = B::project(h, self.up.val());
        x + B::project(B::swiglu(gate, up), self.down.val())
    }
}

impl<B: ModelBackend> Layer<B> {
    /// Queries, keys and values of the normalised stream, not rotated yet: `[rows, heads * head_dim]` each.
    fn project(&self, h: Tensor<B, 2>, eps: f32) -> [Tensor<B, 2>; 3] {
        let extra = &self.extra;
        let q = biased(B::project(h.clone(), self.q.val()), extra.q_bias.as_ref());
        let k = biased(B::project(h.clone(), self.k.val()), extra.k_bias.as_ref());
        let v = biased(B::project(h, self.v.val()), extra.v_bias.as_ref());
        [
            heads_normalised(q, extra.q_norm.as_ref(), eps),
            heads_normalised(k, extra.k_norm.as_ref(), eps),
            v,
        ]
    }

    /// The attention's output projection.
    fn project_back(&self, mixed: Tensor<B, 2>) -> Tensor<B, 2> {
        biased(B::project(mixed, self.o.val()), self.extra.o_bias.as_ref())
    }
}

fn biased<B: Backend>(x: Tensor<B, 2>, bias: Option<&Param<Tensor<B, 1>>>) -> Tensor<B, 2> {
    match bias {
        Some(bias) => x + bias.val().unsqueeze::<2>(),
        None => x,
    }
}

/// Normalises each head of each row, where the family does so.
fn heads_normalised<B: ModelBackend>(
    x: Tensor<B, 2>,
    gain: Option<&Param<Tensor<B, 1>>>,
    eps: f32,
) -> Tensor<B, 2> {
    let Some(gain) = gain else {
        return x;
    };
    let ([rows, width], gain) = (x.dims(), gain.val());
    let head_dim = gain.dims()[0];
    B::rms_norm(x.reshape([rows * width / head_dim, head_dim]), gain, eps).reshape([rows, width])
}

/// The identity of the parameter that holds a tensor of the file. It is a function of the tensor's name, so that an
/// optimiser's state finds its parameters again after a restart.
pub fn parameter_id(name: &str) -> ParamId {
    let hash = blake3::hash(name.as_bytes());
    let (id, _) = hash
        .as_bytes()
        .split_first_chunk()
        .expect("a hash has more than eight bytes");
    ParamId::from(u64::from_le_bytes(*id))
}

fn parameter<B: Backend, const D: usize>(
    name: &str,
    data: TensorData,
    device: &B::Device,
) -> Param<Tensor<B, D>> {
    let id = parameter_id(name);
    B::memory_persistent_allocations(device, data, |data| {
        Param::initialized(id, Tensor::from_data(data, device).require_grad())
    })
}

/// The transpose of a matrix.
fn transposed(tensor: &HostTensor) -> HostTensor {
    let [rows, columns] = [tensor.shape[0], tensor.shape[1]];
    let data = (0..columns)
        .flat_map(|column| (0..rows).map(move |row| tensor.data[row * columns + column]))
        .collect();
    HostTensor {
        shape: vec![columns, rows],
        data,
    }
}

#[cfg(test)]
pub(crate) mod tests;
