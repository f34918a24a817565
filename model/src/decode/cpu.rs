//! The decoder on the CPU: weights packed once, caches and scratch allocated once, no allocation per step.
//!
//! Every token is computed by the same operations in the same order whether it comes in a prompt or alone, and
//! whatever else is in the batch. So batched decode equals solo decode and a replay equals the decode, bit for bit,
//! whatever the width of the processor's vectors, as long as it has a fused multiply-add.

use std::sync::Arc;

use super::{Decoder, Piece};
use crate::config::Config;
use crate::kernels::{cached, norm, packed::Packed, rope, swiglu};
use crate::tensors::{EMBEDDING, FINAL_NORM, HEAD, Tensors, TensorsError};
use crate::transformer::rope::RopeTable;

/// Rows that go through the layers together: enough to use a weight well once it is in the cache.
const BLOCK: usize = 32;

/// A model's weights in the layout that the kernels read.
pub(crate) struct CpuWeights {
    config: Config,
    rope: RopeTable,
    /// `[vocab, hidden]`.
    embedding: Vec<f32>,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    head: Packed,
}

struct Layer {
    attention_norm: Vec<f32>,
    /// Queries, keys and values side by side.
    qkv: Packed,
    /// Likewise side by side.
    qkv_bias: Option<Vec<f32>>,
    /// Gains of each head of the queries, and of the keys.
    qk_norm: Option<[Vec<f32>; 2]>,
    /// How many tokens a token sees, itself included.
    window: Option<usize>,
    o: Packed,
    o_bias: Option<Vec<f32>>,
    ffn_norm: Vec<f32>,
    gate: Packed,
    up: Packed,
    down: Packed,
}

impl CpuWeights {
    pub(crate) fn new(config: &Config, tensors: &Tensors) -> Result<Self, TensorsError> {
        tensors.check(config)?;
        let get = |name: &str| {
            let tensor = tensors.get(name);
            tensor
                .expect("check found every tensor of the configuration")
                .data
                .as_slice()
        };
        let layers = (0..config.num_hidden_layers).map(|index| {
            let any = |rest: &str| get(&format!("model.layers.{index}.{rest}"));
            let get = |rest: &str| any(&format!("{rest}.weight"));
            let pack = |inputs, rest| Packed::new(inputs, &[get(rest)]);
            let variant = &config.variant;
            let qkv_bias =
                || ["q", "k", "v"].map(|part| any(&format!("self_attn.{part}_proj.bias")));
            let qk_norm = || ["q", "k"].map(|part| get(&format!("self_attn.{part}_norm")).to_vec());
            Layer {
                attention_norm: get("input_layernorm").to_vec(),
                qkv: Packed::new(
                    config.hidden_size,
                    &["q", "k", "v"].map(|part| get(&format!("self_attn.{part}_proj"))),
                ),
                qkv_bias: variant.qkv_bias.then(|| qkv_bias().concat()),
                qk_norm: variant.qk_norm.then(qk_norm),
                window: variant.window(index),
                o: pack(config.query_width(), "self_attn.o_proj"),
                o_bias: variant
                    .output_bias
                    .then(|| any("self_attn.o_proj.bias").to_vec()),
                ffn_norm: get("post_attention_layernorm").to_vec(),
                gate: pack(config.hidden_size, "mlp.gate_proj"),
                up: pack(config.hidden_size, "mlp.up_proj"),
                down: pack(config.intermediate_size, "mlp.down_proj"),
            }
        });
        let head = if config.tie_word_embeddings {
            EMBEDDING
        } else {
            HEAD
        };
        Ok(Self {
            rope: RopeTable::new(config),
            embedding: get(EMBEDDING).to_vec(),
            layers: layers.collect(),
            norm: get(FINAL_NORM).to_vec(),
            head: Packed::new(config.hidden_size, &[get(head)]),
            config: config.clone(),
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }
}

/// Weights with the caches of a fixed number of sequences.
pub(crate) struct CpuDecoder {
    weights: Arc<CpuWeights>,
    max_context: usize,
    /// Positions that a slot's cache has room for: `max_context` rounded up to whole tiles.
    capacity: usize,
    slots: Vec<Slot>,
    scratch: Scratch,
}

/// One sequence: the number of tokens seen and, for each layer, the cached keys and values.
struct Slot {
    len: usize,
    layers: Vec<Cache>,
}

struct Cache {
    /// `[key_heads, head_dim, capacity]`.
    keys: Vec<f32>,
    /// `[capacity, key_heads * head_dim]`.
    values: Vec<f32>,
}

/// One row of a block: which token of which sequence, and whether its logits are wanted.
#[derive(Clone, Copy)]
struct Row {
    slot: usize,
    position: usize,
    token: u32,
    wanted: bool,
}

/// Buffers for one block of rows.
struct Scratch {
    rows: Vec<Row>,
    x: Vec<f32>,
    h: Vec<f32>,
    scales: Vec<f32>,
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    inner: Vec<f32>,
    scores: Vec<f32>,
    /// One row's queries and keys before their heads are normalised.
    plain: Vec<f32>,
}

impl CpuDecoder {
    pub(crate) fn new(weights: Arc<CpuWeights>, slots: usize, max_context: usize) -> Self {
        let config = &weights.config;
        let capacity = max_context.next_multiple_of(cached::TILE);
        let cache = || Cache {
            keys: vec![0.0; capacity * config.key_width()],
            values: vec![0.0; capacity * config.key_width()],
        };
        let slot = || Slot {
            len: 0,
            layers: (0..config.num_hidden_layers).map(|_| cache()).collect(),
        };
        let buffer = |width: usize| vec![0.0; BLOCK * width];
        let scratch = Scratch {
            rows: Vec::with_capacity(BLOCK),
            x: buffer(config.hidden_size),
            h: buffer(config.hidden_size),
            scales: buffer(1),
            qkv: buffer(config.query_width() + 2 * config.key_width()),
            mixed: buffer(config.query_width()),
            gate: buffer(config.intermediate_size),
            up: buffer(config.intermediate_size),
            inner: buffer(config.intermediate_size),
            scores: vec![0.0; capacity],
            plain: vec![0.0; config.query_width() + config.key_width()],
        };
        Self {
            slots: (0..slots).map(|_| slot()).collect(),
            max_context,
            capacity,
            scratch,
            weights,
        }
    }

    /// Runs the rows that the scratch lists through every layer and appends the wanted logits.
    fn run_block(&mut self, logits: &mut Vec<f32>) {
        let Self {
            weights,
            capacity,
            slots,
            scratch,
            ..
        } = self;
        let config = &weights.config;
        let (d, q_width, k_width) = (config.hidden_size, config.query_width(), config.key_width());
        let (qkv_width, f) = (q_width + 2 * k_width, config.intermediate_size);
        let eps = config.rms_norm_eps;
        let n = scratch.rows.len();
        let x = &mut scratch.x[..n * d];
        let h = &mut scratch.h[..n * d];
        let scales = &mut scratch.scales[..n];
        let qkv = &mut scratch.qkv[..n * qkv_width];
        let mixed = &mut scratch.mixed[..n * q_width];
        let gate = &mut scratch.gate[..n * f];
        let up = &mut scratch.up[..n * f];
        let inner = &mut scratch.inner[..n * f];
        for (row, x) in scratch.rows.iter().zip(x.chunks_exact_mut(d)) {
            x.copy_from_slice(&weights.embedding[row.token as usize * d..][..d]);
        }
        for (index, layer) in weights.layers.iter().enumerate() {
            norm::forward(x, &layer.attention_norm, eps, h, scales);
            layer.qkv.multiply(h, qkv);
            add_bias(qkv, layer.qkv_bias.as_deref());
            let rows = scratch.rows.iter().zip(qkv.chunks_exact_mut(qkv_width));
            for ((row, qkv), mixed) in rows.zip(mixed.chunks_exact_mut(q_width)) {
                let (qk, v) = qkv.split_at_mut(q_width + k_width);
                if let Some([q_gain, k_gain]) = &layer.qk_norm {
                    scratch.plain.copy_from_slice(qk);
                    let ((q, k), plain) = (qk.split_at_mut(q_width), &scratch.plain);
                    norm::heads(&plain[..q_width], q_gain, eps, q);
                    norm::heads(&plain[q_width..], k_gain, eps, k);
                }
                rope::rotate(qk, q_width + k_width, &weights.rope, row.position, 1);
                let (q, k) = qk.split_at(q_width);
                let cache = &mut slots[row.slot].layers[index];
                for (component, k) in k.iter().enumerate() {
                    cache.keys[component * *capacity + row.position] = *k;
                }
                cache.values[row.position * k_width..][..k_width].copy_from_slice(v);
                let seen = row.position + 1;
                cached::attend(
                    q,
                    &cache.keys,
                    &cache.values,
                    *capacity,
                    config.head_dim,
                    layer.window.map_or(0, |window| seen.saturating_sub(window)),
                    seen,
                    &mut scratch.scores,
                    mixed,
                );
            }
            layer.o.multiply(mixed, h);
            add_bias(h, layer.o_bias.as_deref());
            add(x, h);
            norm::forward(x, &layer.ffn_norm, eps, h, scales);
            layer.gate.multiply(h, gate);
            layer.up.multiply(h, up);
            swiglu::forward(gate, up, inner);
            layer.down.multiply(inner, h);
            add(x, h);
        }
        // Only the wanted rows go through the head: they move to the front.
        let mut wanted = 0;
        for (index, row) in scratch.rows.iter().enumerate() {
            if row.wanted {
                x.copy_within(index * d..(index + 1) * d, wanted * d);
                wanted += 1;
            }
        }
        if wanted > 0 {
            norm::forward(
                &x[..wanted * d],
                &weights.norm,
                eps,
                &mut h[..wanted * d],
                scales,
            );
            let start = logits.len();
            logits.resize(start + wanted * weights.head.outputs(), 0.0);
            weights
                .head
                .multiply(&h[..wanted * d], &mut logits[start..]);
        }
        scratch.rows.clear();
    }
}

impl Decoder for CpuDecoder {
    fn vocab(&self) -> usize {
        self.weights.config.vocab_size
    }

    fn max_context(&self) -> usize {
        self.max_context
    }

    fn clear(&mut self, slot: usize) {
        self.slots[slot].len = 0;
    }

    fn forward(&mut self, pieces: &[Piece<'_>], logits: &mut Vec<f32>) {
        logits.clear();
        self.scratch.rows.clear();
        for piece in pieces {
            for (index, &token) in piece.tokens.iter().enumerate() {
                let slot = &mut self.slots[piece.slot];
                assert!(slot.len < self.max_context, "a sequence outgrew its slot");
                self.scratch.rows.push(Row {
                    slot: piece.slot,
                    position: slot.len,
                    token,
                    wanted: index >= piece.from,
                });
                slot.len += 1;
                if self.scratch.rows.len() == BLOCK {
                    self.run_block(logits);
                }
            }
        }
        if !self.scratch.rows.is_empty() {
            self.run_block(logits);
        }
    }
}

/// Adds the bias, where there is one, to every row.
fn add_bias(rows: &mut [f32], bias: Option<&[f32]>) {
    if let Some(bias) = bias {
        for row in rows.chunks_exact_mut(bias.len()) {
            add(row, bias);
        }
    }
}

fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}
