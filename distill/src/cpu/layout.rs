//! Where each tensor of a Llama-shaped network lies in one flat vector of parameters.

use std::ops::Range;

use thiserror::Error;

/// The dimensions of a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    /// Words in the vocabulary.
    pub(crate) vocab: usize,
    /// Whether the output embedding is the input embedding.
    pub(crate) tied: bool,
    /// Width of the residual stream.
    pub(crate) width: usize,
    /// Number of blocks.
    pub(crate) layers: usize,
    /// Query heads.
    pub(crate) heads: usize,
    /// Key and value heads, a divisor of `heads`.
    pub(crate) kv_heads: usize,
    /// Width of a head, even.
    pub(crate) head_width: usize,
    /// Width of the feed-forward layer.
    pub(crate) hidden: usize,
    /// Base of the rotary embedding.
    pub(crate) rope_theta: f32,
    /// Added to the mean square before the root.
    pub(crate) norm_epsilon: f32,
}

/// A tensor's place and its shape, `[out, in]` for matrices as in Hugging Face's Llama.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Its name in a safetensors file.
    pub(crate) name: String,
    /// Its dimensions.
    pub(crate) dims: Vec<usize>,
    /// Its place in the flat vector.
    pub(crate) range: Range<usize>,
}

/// Why tensors do not fit a layout.
#[derive(Debug, Error)]
pub enum LayoutError {
    /// A tensor is not there.
    #[error("tensor {0} is missing")]
    Missing(String),
    /// A tensor has other dimensions than the configuration says.
    #[error("tensor {name} has shape {found:?}, expected {expected:?}")]
    Shape {
        /// The tensor's name.
        name: String,
        /// Its dimensions in the file.
        found: Vec<usize>,
        /// The dimensions that the configuration implies.
        expected: Vec<usize>,
    },
}

/// The parts of one block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) attention_norm: Range<usize>,
    pub(crate) query: Range<usize>,
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
    pub(crate) output: Range<usize>,
    pub(crate) feed_norm: Range<usize>,
    pub(crate) gate: Range<usize>,
    pub(crate) up: Range<usize>,
    pub(crate) down: Range<usize>,
}

/// The places of all tensors.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The dimensions that the layout was made from.
    pub(crate) shape: Shape,
    /// All tensors in order, without gaps.
    pub(crate) slots: Vec<Slot>,
    pub(crate) embedding: Range<usize>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) norm: Range<usize>,
    /// The output embedding, which is the input embedding when the two are tied.
    pub(crate) head: Range<usize>,
}

impl Layout {
    /// Lays out a network.
    pub(crate) fn new(shape: Shape) -> Layout {
        let mut slots: Vec<Slot> = Vec::new();
        let mut place = |name: String, dims: &[usize]| {
            let start = slots.last().map_or(0, |slot| slot.range.end);
            let range = start..start + dims.iter().product::<usize>();
            slots.push(Slot {
                name,
                dims: dims.to_vec(),
                range: range.clone(),
            });
            range
        };
        let Shape {
            vocab,
            width,
            heads,
            kv_heads,
            head_width,
            hidden,
            ..
        } = shape;
        let embedding = place("model.embed_tokens.weight".into(), &[vocab, width]);
        let blocks = (0..shape.layers)
            .map(|layer| {
                let mut place = |part: &str, dims: &[usize]| {
                    place(format!("model.layers.{layer}.{part}.weight"), dims)
                };
                Block {
                    attention_norm: place("input_layernorm", &[width]),
                    query: place("self_attn.q_proj", &[heads * head_width, width]),
                    key: place("self_attn.k_proj", &[kv_heads * head_width, width]),
                    value: place("self_attn.v_proj", &[kv_heads * head_width, width]),
                    output: place("self_attn.o_proj", &[width, heads * head_width]),
                    feed_norm: place("post_attention_layernorm", &[width]),
                    gate: place("mlp.gate_proj", &[hidden, width]),
                    up: place("mlp.up_proj", &[hidden, width]),
                    down: place("mlp.down_proj", &[width, hidden]),
                }
            })
            .collect();
        let norm = place("model.norm.weight".into(), &[width]);
        let head = match shape.tied {
            true => embedding.clone(),
            false => place("lm_head.weight".into(), &[vocab, width]),
        };
        Layout {
            shape,
            slots,
            embedding,
            blocks,
            norm,
            head,
        }
    }

    /// The number of parameters.
    pub(crate) fn len(&self) -> usize {
        self.slots.last().map_or(0, |slot| slot.range.end)
    }

    /// Gathers named tensors into one flat vector.
    pub(crate) fn gather<'a>(
        &self,
        find: impl Fn(&str) -> Option<(&'a [usize], &'a [f32])>,
    ) -> Result<Vec<f32>, LayoutError> {
        let mut flat = Vec::with_capacity(self.len());
        for slot in &self.slots {
            let (dims, data) =
                find(&slot.name).ok_or_else(|| LayoutError::Missing(slot.name.clone()))?;
            if dims != slot.dims {
                return Err(LayoutError::Shape {
                    name: slot.name.clone(),
                    found: dims.to_vec(),
                    expected: slot.dims.clone(),
                });
            }
            flat.extend_from_slice(data);
        }
        Ok(flat)
    }
}
