//! The decoder on the CPU: weights packed once, caches and scratch allocated once.
//!
//! Every token is computed by the same operations in the same order whether it comes in a prompt or alone, and
//! whatever else is in the batch. So batched decode equals solo decode and a replay equals the decode, bit for bit,
//! whatever the width of the processor's vectors and the number of threads, as long as it has a fused multiply-add.

mod weights;

use std::ops::Range;
use std::sync::Arc;

use super::{Decoder, Piece};
use crate::config::Config;
use crate::kernels::{
    aligned::Aligned,
    cached::{self, Cache},
    norm, over_rows,
    parallel::{self, Shared, WORTH_SPLITTING},
    rope, swiglu,
};
pub(crate) use weights::CpuWeights;
use weights::Layer;

/// Rows that go through the layers together: enough to use a weight well once it is in the cache.
const BLOCK: usize = 256;
/// Estimated nanoseconds of an exponential.
const EXP: usize = 1;

/// Weights with the caches of a fixed number of sequences.
pub(crate) struct CpuDecoder {
    weights: Arc<CpuWeights>,
    max_context: usize,
    slots: Vec<Slot>,
    scratch: Scratch,
}

/// One sequence: the number of tokens seen and, for each layer, the cached keys and values.
struct Slot {
    len: usize,
    layers: Vec<Cache>,
}

/// One row of a block: which token of which sequence, and whether its logits are wanted.
#[derive(Clone, Copy)]
struct Row {
    slot: usize,
    position: usize,
    token: u32,
    wanted: bool,
}

/// Consecutive tokens of one sequence among the rows of a block.
#[derive(Clone, Debug)]
struct Run {
    slot: usize,
    position: usize,
    rows: Range<usize>,
}

/// Buffers for one block of rows.
struct Scratch {
    rows: Vec<Row>,
    runs: Vec<Run>,
    x: Aligned<f32>,
    h: Aligned<f32>,
    scales: Vec<f32>,
    qkv: Aligned<f32>,
    mixed: Aligned<f32>,
    gate_up: Aligned<f32>,
    inner: Aligned<f32>,
    /// One row's queries and keys before their heads are normalised.
    plain: Vec<f32>,
}

impl Scratch {
    fn new(config: &Config, rows: usize) -> Self {
        let buffer = |width: usize| Aligned::zeros(rows * width);
        let (q_width, k_width) = (config.query_width(), config.key_width());
        Self {
            rows: Vec::with_capacity(rows),
            runs: Vec::with_capacity(rows),
            x: buffer(config.hidden_size),
            h: buffer(config.hidden_size),
            scales: vec![0.0; rows],
            qkv: buffer(q_width + 2 * k_width),
            mixed: buffer(q_width),
            gate_up: buffer(2 * config.intermediate_size),
            inner: buffer(config.intermediate_size),
            plain: vec![0.0; q_width + k_width],
        }
    }

    /// Lists the runs of the rows.
    fn find_runs(&mut self) {
        self.runs.clear();
        for (index, row) in self.rows.iter().enumerate() {
            match self.runs.last_mut() {
                Some(run)
                    if run.slot == row.slot && run.position + run.rows.len() == row.position =>
                {
                    run.rows.end += 1;
                }
                _ => self.runs.push(Run {
                    slot: row.slot,
                    position: row.position,
                    rows: index..index + 1,
                }),
            }
        }
    }
}

impl CpuDecoder {
    pub(crate) fn new(weights: Arc<CpuWeights>, slots: usize, max_context: usize) -> Self {
        let config = &weights.config;
        let (key_heads, head_dim) = (config.num_key_value_heads, config.head_dim);
        let cache = || Cache::new(key_heads, head_dim, max_context);
        let slot = || Slot {
            len: 0,
            layers: (0..config.num_hidden_layers).map(|_| cache()).collect(),
        };
        let rows = BLOCK.min(slots.saturating_mul(max_context)).max(1);
        Self {
            slots: (0..slots).map(|_| slot()).collect(),
            max_context,
            scratch: Scratch::new(config, rows),
            weights,
        }
    }

    /// Runs the rows that the scratch lists through every layer and appends the wanted logits.
    fn run_block(&mut self, logits: &mut Vec<f32>) {
        let Self {
            weights,
            slots,
            scratch,
            ..
        } = self;
        scratch.find_runs();
        let d = weights.config.hidden_size;
        for (row, x) in scratch.rows.iter().zip(scratch.x.chunks_exact_mut(d)) {
            x.copy_from_slice(&weights.embedding[row.token as usize * d..][..d]);
        }
        for (index, layer) in weights.layers.iter().enumerate() {
            run_layer(weights, layer, index, slots, scratch);
        }
        // Only the wanted rows go through the head: they move to the front.
        let mut wanted = 0;
        for (index, row) in scratch.rows.iter().enumerate() {
            if row.wanted {
                scratch
                    .x
                    .copy_within(index * d..(index + 1) * d, wanted * d);
                wanted += 1;
            }
        }
        if wanted > 0 {
            let (x, h) = (&scratch.x[..wanted * d], &mut scratch.h[..wanted * d]);
            normalise(
                x,
                &weights.norm,
                weights.config.rms_norm_eps,
                h,
                &mut scratch.scales,
            );
            let start = logits.len();
            logits.resize(start + wanted * weights.head.outputs(), 0.0);
            weights.head.multiply(h, &mut logits[start..]);
        }
        scratch.rows.clear();
    }

    fn run_pieces(&mut self, pieces: &[Piece<'_>], logits: &mut Vec<f32>) {
        let most = self.scratch.scales.len();
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
                if self.scratch.rows.len() == most {
                    self.run_block(logits);
                }
            }
        }
        if !self.scratch.rows.is_empty() {
            self.run_block(logits);
        }
    }
}

/// One layer: attention, then the gated feed-forward, each behind a normalisation and around a residual.
fn run_layer(
    weights: &CpuWeights,
    layer: &Layer,
    index: usize,
    slots: &mut [Slot],
    scratch: &mut Scratch,
) {
    let config = &weights.config;
    let (d, f, n) = (
        config.hidden_size,
        config.intermediate_size,
        scratch.rows.len(),
    );
    let (q_width, k_width) = (config.query_width(), config.key_width());
    let eps = config.rms_norm_eps;
    let x = &mut scratch.x[..n * d];
    let h = &mut scratch.h[..n * d];
    let qkv = &mut scratch.qkv[..n * (q_width + 2 * k_width)];
    let mixed = &mut scratch.mixed[..n * q_width];
    normalise(x, &layer.attention_norm, eps, h, &mut scratch.scales);
    layer.qkv.multiply(h, qkv);
    add_bias(qkv, layer.qkv_bias.as_deref());
    let width = q_width + 2 * k_width;
    for run in &scratch.runs {
        let rows = &mut qkv[run.rows.start * width..run.rows.end * width];
        for (row, position) in rows.chunks_exact_mut(width).zip(run.position..) {
            let qk = &mut row[..q_width + k_width];
            if let Some([q_gain, k_gain]) = &layer.qk_norm {
                scratch.plain.copy_from_slice(qk);
                let ((q, k), plain) = (qk.split_at_mut(q_width), &scratch.plain);
                norm::heads(&plain[..q_width], q_gain, eps, q);
                norm::heads(&plain[q_width..], k_gain, eps, k);
            }
            rope::rotate(qk, q_width + k_width, &weights.rope, position, 1);
        }
        slots[run.slot].layers[index].store(run.position, &rows[q_width..], width, k_width);
    }
    attend(
        config,
        layer.window,
        index,
        slots,
        &scratch.runs,
        qkv,
        mixed,
    );
    layer.o.multiply(mixed, h);
    add_bias(h, layer.o_bias.as_deref());
    add(x, h);
    normalise(x, &layer.ffn_norm, eps, h, &mut scratch.scales);
    let gate_up = &mut scratch.gate_up[..n * 2 * f];
    layer.gate_up.multiply(h, gate_up);
    let inner = &mut scratch.inner[..n * f];
    over_rows(n, f * EXP, [inner], |rows, [inner]| {
        let gate_up = gate_up[rows.start * 2 * f..rows.end * 2 * f].chunks_exact(2 * f);
        for (gate_up, inner) in gate_up.zip(inner.chunks_exact_mut(f)) {
            let (gate, up) = gate_up.split_at(f);
            swiglu::forward(gate, up, inner);
        }
    });
    layer.down.multiply(&scratch.inner[..n * f], h);
    add(x, h);
}

/// Lets every head of every run attend to what its sequence holds; the new keys and values are stored already.
fn attend(
    config: &Config,
    window: Option<usize>,
    layer: usize,
    slots: &[Slot],
    runs: &[Run],
    qkv: &[f32],
    mixed: &mut [f32],
) {
    let (q_width, k_width, head_dim) = (config.query_width(), config.key_width(), config.head_dim);
    let (heads, width) = (config.num_attention_heads, q_width + 2 * k_width);
    let group = heads / config.num_key_value_heads;
    let mixed = Shared::new(mixed);
    for run in runs {
        let cache = &slots[run.slot].layers[layer];
        // A run is divided into blocks of rows, each of which has its heads.
        let blocks = run.rows.len().div_ceil(cached::BLOCK);
        let seen = run.position + run.rows.len();
        let cost = run.rows.len() * seen * q_width;
        parallel::over(blocks * heads, cost, |items| {
            for item in items {
                // The later blocks, which see the most, come first, so that none of them is left for the end.
                let (block, head) = (blocks - 1 - item / heads, item % heads);
                let first = block * cached::BLOCK;
                let row = run.rows.start + first;
                let block = cached::Block {
                    position: run.position + first,
                    rows: cached::BLOCK.min(run.rows.len() - first),
                    window,
                };
                let q = &qkv[row * width + head * head_dim..];
                // SAFETY: the block's rows are inside `mixed`, and no other item has this head of these rows.
                unsafe {
                    let out = mixed.at(row * q_width + head * head_dim);
                    cache.attend(head / group, block, (q, width), (out, q_width));
                }
            }
        });
    }
}

impl Decoder for CpuDecoder {
    fn vocab(&self) -> usize {
        self.weights.config.vocab_size
    }

    fn max_context(&self) -> usize {
        self.max_context
    }

    fn weight_bytes(&self) -> usize {
        self.weights.bytes()
    }

    fn share(&mut self, from: usize, to: usize, tokens: usize) {
        assert!(
            tokens <= self.slots[from].len,
            "a slot shares what it holds"
        );
        if from != to
            && tokens > 0
            && let Ok([from, to]) = self.slots.get_disjoint_mut([from, to])
        {
            let layers = from.layers.iter().zip(&mut to.layers);
            layers.for_each(|(from, to)| to.copy_from(from, tokens));
        }
        self.slots[to].len = tokens;
    }

    fn forward(&mut self, pieces: &[Piece<'_>], logits: &mut Vec<f32>) {
        logits.clear();
        self.scratch.rows.clear();
        let rows: usize = pieces.iter().map(|piece| piece.tokens.len()).sum();
        // A step that is worth dividing runs inside the pool: from outside every division would wait for a wake-up.
        let is_large = rows * self.weights.work_per_token() >= 16 * WORTH_SPLITTING;
        if is_large && rayon::current_num_threads() > 1 {
            rayon::scope(|_| self.run_pieces(pieces, logits));
        } else {
            self.run_pieces(pieces, logits);
        }
    }
}

/// Normalises every row.
fn normalise(x: &[f32], gain: &[f32], eps: f32, out: &mut [f32], scales: &mut [f32]) {
    let width = gain.len();
    let rows = x.len() / width;
    over_rows(
        rows,
        width,
        [out, &mut scales[..rows]],
        |range, [out, scales]| {
            let x = &x[range.start * width..range.end * width];
            norm::forward(x, gain, eps, out, scales);
        },
    );
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
