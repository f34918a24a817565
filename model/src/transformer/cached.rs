//! The decoder with caches on any backend: what serves, replays and generates on a CUDA card.
//!
//! Sequences that are fed one token each run as one batch, longer pieces one after the other.

use burn::tensor::{Int, Tensor, TensorData, activation};

use super::Transformer;
use crate::backend::{ModelBackend, half_swap};
use crate::decode::{Decoder, Piece};

/// A model on a device with the caches of a fixed number of sequences.
pub(crate) struct BurnDecoder<B: ModelBackend> {
    model: Transformer<B>,
    device: B::Device,
    max_context: usize,
    /// Tokens that each slot holds.
    lens: Vec<usize>,
    /// Keys and values of each layer, `[slots, key_heads, max_context, head_dim]`.
    caches: Vec<[Tensor<B, 4>; 2]>,
}

/// Pieces of equal length that run together, with the tables that all layers share.
struct Batch<B: ModelBackend> {
    slots: Vec<usize>,
    /// Position of each piece's first token.
    starts: Vec<usize>,
    time: usize,
    /// The longest sequence after this batch.
    seen: usize,
    /// `[slots]`.
    index: Tensor<B, 1, Int>,
    /// `[rows, 1, head_dim]`.
    cos: Tensor<B, 3>,
    sin: Tensor<B, 3>,
    /// `[head_dim, head_dim]`.
    swap: Tensor<B, 2>,
    /// Zero where a token may look, very negative elsewhere: `[slots, 1, 1, time, seen]`.
    mask: Tensor<B, 5>,
    /// Likewise for layers with a sliding window, where the model has any.
    windowed: Option<Tensor<B, 5>>,
}

impl<B: ModelBackend> BurnDecoder<B> {
    pub(crate) fn new(
        model: Transformer<B>,
        device: B::Device,
        slots: usize,
        max_context: usize,
    ) -> Self {
        let config = model.config();
        let shape = [
            slots,
            config.num_key_value_heads,
            max_context,
            config.head_dim,
        ];
        let cache = || Tensor::zeros(shape, &device);
        let caches = (0..config.num_hidden_layers).map(|_| [cache(), cache()]);
        Self {
            caches: caches.collect(),
            lens: vec![0; slots],
            max_context,
            device,
            model,
        }
    }

    fn batch(&self, slots: Vec<usize>, time: usize) -> Batch<B> {
        let rope = &self.model.shape.rope;
        let head_dim = rope.head_dim();
        let starts: Vec<usize> = slots.iter().map(|&slot| self.lens[slot]).collect();
        let seen = starts.iter().max().map_or(0, |start| start + time);
        let (mut cos, mut sin) = (Vec::<f32>::new(), Vec::<f32>::new());
        let positions = || starts.iter().flat_map(|&start| start..start + time);
        for position in positions() {
            let (c, s) = rope.at(position);
            cos.extend(c.iter().chain(c));
            sin.extend(s.iter().chain(s));
        }
        let index: Vec<i32> = slots.iter().map(|&slot| slot as i32).collect();
        let (n, device) = (slots.len(), &self.device);
        let mask = |window: usize| {
            let sees = |position: usize, key: usize| key <= position && position - key < window;
            let row = |position| {
                (0..seen).map(move |key| if sees(position, key) { 0.0 } else { -1e30_f32 })
            };
            let mask: Vec<f32> = positions().flat_map(row).collect();
            Tensor::from_data(TensorData::new(mask, [n, 1, 1, time, seen]), device)
        };
        let window = self.model.config().variant.window.as_ref();
        let table =
            |data| Tensor::from_data(TensorData::new(data, [n * time, 1, head_dim]), device);
        Batch {
            index: Tensor::from_data(TensorData::new(index, [n]), device),
            cos: table(cos),
            sin: table(sin),
            swap: Tensor::from_data(
                TensorData::new(half_swap(head_dim), [head_dim, head_dim]),
                device,
            ),
            mask: mask(usize::MAX),
            windowed: window.map(|window| mask(window.tokens)),
            slots,
            starts,
            time,
            seen,
        }
    }

    /// Runs pieces of equal length; the residual stream after the last normalisation, `[rows, hidden]`.
    fn run(&mut self, slots: Vec<usize>, tokens: Vec<i32>, time: usize) -> Tensor<B, 2> {
        let batch = self.batch(slots, time);
        let rows = tokens.len();
        let ids = Tensor::<B, 1, Int>::from_data(TensorData::new(tokens, [rows]), &self.device);
        let eps = self.model.config().rms_norm_eps;
        let mut x = self.model.embedding.val().select(0, ids);
        for index in 0..self.model.layers.len() {
            let layer = &self.model.layers[index];
            let h = B::rms_norm(x.clone(), layer.attention_norm.val(), eps);
            let [q, k, v] = layer.project(h, eps);
            let (q, k) = (batch.rotate(q), batch.rotate(k));
            let mixed = self.attend(index, &batch, q, k, v);
            let layer = &self.model.layers[index];
            x = x + layer.project_back(mixed);
            let h = B::rms_norm(x.clone(), layer.ffn_norm.val(), eps);
            let gate = h.clone().matmul(layer.gate.val());
            let up = h.matmul(layer.up.val());
            x = x + B::swiglu(gate, up).matmul(layer.down.val());
        }
        for &slot in &batch.slots {
            self.lens[slot] += time;
        }
        B::rms_norm(x, self.model.norm.val(), eps)
    }

    /// Stores the new keys and values and attends over what each sequence holds.
    fn attend(
        &mut self,
        layer: usize,
        batch: &Batch<B>,
        q: Tensor<B, 2>,
        k: Tensor<B, 2>,
        v: Tensor<B, 2>,
    ) -> Tensor<B, 2> {
        let config = self.model.config();
        let (heads, key_heads, head_dim) = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        );
        let (n, time, group) = (batch.slots.len(), batch.time, heads / key_heads);
        let [keys, values] = [k, v].map(|new| {
            new.reshape([n, time, key_heads, head_dim])
                .permute([0, 2, 1, 3])
        });
        let cached = &mut self.caches[layer];
        for (cache, new) in cached.iter_mut().zip([keys, values]) {
            let mut stored = cache.clone();
            for (i, (&slot, &start)) in batch.slots.iter().zip(&batch.starts).enumerate() {
                let range = [
                    slot..slot + 1,
                    0..key_heads,
                    start..start + time,
                    0..head_dim,
                ];
                let one = new
                    .clone()
                    .slice([i..i + 1, 0..key_heads, 0..time, 0..head_dim]);
                stored = stored.slice_assign(range, one);
            }
            *cache = stored;
        }
        let [keys, values] = cached.each_ref().map(|cache| {
            cache
                .clone()
                .select(0, batch.index.clone())
                .narrow(2, 0, batch.seen)
                .reshape([n, key_heads, 1, batch.seen, head_dim])
        });
        let q = q
            .reshape([n, time, key_heads, group, head_dim])
            .permute([0, 2, 3, 1, 4]);
        let scale = (head_dim as f32).sqrt().recip();
        let mask = match (config.variant.window(layer), &batch.windowed) {
            (Some(_), Some(windowed)) => windowed,
            _ => &batch.mask,
        };
        let scores = q.matmul(keys.swap_dims(3, 4)).mul_scalar(scale) + mask.clone();
        activation::softmax(scores, 4)
            .matmul(values)
            .permute([0, 3, 1, 2, 4])
            .reshape([n * time, heads * head_dim])
    }
}

impl<B: ModelBackend> Batch<B> {
    /// Rotates every head of every row by the row's position.
    fn rotate(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let [rows, width] = x.dims();
        let head_dim = self.swap.dims()[0];
        let shape = [rows, width / head_dim, head_dim];
        let swapped = x
            .clone()
            .reshape([rows * width / head_dim, head_dim])
            .matmul(self.swap.clone())
            .reshape(shape);
        let rotated = x.reshape(shape) * self.cos.clone() + swapped * self.sin.clone();
        rotated.reshape([rows, width])
    }
}

impl<B: ModelBackend> Decoder for BurnDecoder<B> {
    fn vocab(&self) -> usize {
        self.model.config().vocab_size
    }

    fn max_context(&self) -> usize {
        self.max_context
    }

    fn weight_bytes(&self) -> usize {
        let config = self.model.config();
        let table = config.vocab_size * config.hidden_size;
        let looked_up = if config.tie_word_embeddings { 0 } else { table };
        (config.parameters() as usize - looked_up) * size_of::<f32>()
    }

    fn share(&mut self, from: usize, to: usize, tokens: usize) {
        assert!(tokens <= self.lens[from], "a slot shares what it holds");
        if from != to && tokens > 0 {
            for cache in self.caches.iter_mut().flatten() {
                let [_, heads, _, width] = cache.dims();
                let part = |slot: usize| [slot..slot + 1, 0..heads, 0..tokens, 0..width];
                let shared = cache.clone().slice(part(from));
                *cache = cache.clone().slice_assign(part(to), shared);
            }
        }
        self.lens[to] = tokens;
    }

    fn forward(&mut self, pieces: &[Piece<'_>], logits: &mut Vec<f32>) {
        let vocab = self.vocab();
        // Logits of each piece, so that they can be put in the pieces' order.
        let mut rows: Vec<Vec<f32>> = vec![Vec::new(); pieces.len()];
        let is_single = |piece: &Piece<'_>| piece.tokens.len() == 1;
        let singles: Vec<usize> = (0..pieces.len())
            .filter(|&i| is_single(&pieces[i]))
            .collect();
        let groups = (0..pieces.len())
            .filter(|&i| !is_single(&pieces[i]))
            .map(|i| vec![i]);
        for group in groups.chain([singles]).filter(|group| !group.is_empty()) {
            let time = pieces[group[0]].tokens.len();
            if time == 0 {
                continue;
            }
            let slots = group.iter().map(|&i| pieces[i].slot).collect();
            let tokens = group
                .iter()
                .flat_map(|&i| pieces[i].tokens)
                .map(|&t| t as i32)
                .collect();
            let hidden = self.run(slots, tokens, time);
            let from = pieces[group[0]].from;
            let wanted = match group.len() {
                1 if from >= time => continue,
                1 => hidden.narrow(0, from, time - from),
                _ => hidden,
            };
            let data = self.model.logits(wanted).into_data().convert::<f32>();
            let data: Vec<f32> = data.into_vec().expect("the data was just converted to f32");
            if group.len() == 1 {
                rows[group[0]] = data;
            } else {
                for (&i, row) in group.iter().zip(data.chunks_exact(vocab)) {
                    if pieces[i].from == 0 {
                        rows[i] = row.to_vec();
                    }
                }
            }
        }
        logits.clear();
        rows.iter().for_each(|rows| logits.extend_from_slice(rows));
    }
}
