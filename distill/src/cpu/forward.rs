//! The forward pass, which keeps on a tape what the backward pass needs.

use std::ops::Range;

use super::{
    layout::{Block, Layout, Shape},
    matrix::{View, Write, dot, exp, product, softmax},
};

/// Tokens to run, cut into independent segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// All segments' tokens, one after another.
    pub(crate) tokens: Vec<u32>,
    /// Where each segment lies; together they cover `tokens` in order.
    pub(crate) segments: Vec<Range<usize>>,
    /// Indices into `tokens` whose next-token logits are wanted, ascending.
    pub(crate) rows: Vec<usize>,
}

impl Batch {
    /// Appends a segment; `wanted` are positions within it.
    pub(crate) fn push(&mut self, tokens: &[u32], wanted: impl IntoIterator<Item = usize>) {
        let start = self.tokens.len();
        self.tokens.extend_from_slice(tokens);
        self.segments.push(start..self.tokens.len());
        self.rows.extend(wanted.into_iter().map(|at| start + at));
    }
}

/// What one block leaves for its backward pass; N tokens, widths as in [`Shape`].
#[derive(Default)]
pub(super) struct BlockTape {
    /// Input of the block, N x width.
    pub(super) input: Vec<f32>,
    /// Reciprocal root mean squares of the input.
    pub(super) input_scale: Vec<f32>,
    pub(super) normed: Vec<f32>,
    /// Queries and keys after rotation.
    pub(super) query: Vec<f32>,
    pub(super) key: Vec<f32>,
    pub(super) value: Vec<f32>,
    /// Attention probabilities, segment by segment, head by head, each a square.
    pub(super) attention: Vec<f32>,
    /// Heads' outputs, N x heads * head_width.
    pub(super) mixed: Vec<f32>,
    /// Residual stream between attention and feed-forward.
    pub(super) middle: Vec<f32>,
    pub(super) middle_scale: Vec<f32>,
    pub(super) feed: Vec<f32>,
    pub(super) gate: Vec<f32>,
    pub(super) up: Vec<f32>,
    pub(super) active: Vec<f32>,
}

/// The memory of one forward pass; reuse it to spare allocations.
#[derive(Default)]
pub(crate) struct Tape {
    pub(super) blocks: Vec<BlockTape>,
    /// Which of the layout's blocks ran, in order.
    pub(super) ran: Vec<usize>,
    /// Residual stream, at the wanted rows only, before the last norm.
    pub(super) last: Vec<f32>,
    pub(super) last_scale: Vec<f32>,
    pub(super) last_normed: Vec<f32>,
    /// Cosines and sines, position by position, half a head wide.
    pub(super) rotary: Rotary,
    /// Logits at the wanted rows, rows x vocab.
    pub(crate) logits: Vec<f32>,
}

/// Runs the blocks named in `layers` (all of them for the whole network) and leaves logits at the wanted rows in the tape.
///
/// Running a subset is what a network with those layers alone would compute.
pub(crate) fn forward(
    layout: &Layout,
    parameters: &[f32],
    layers: &[usize],
    batch: &Batch,
    tape: &mut Tape,
) {
    let shape = &layout.shape;
    let (count, width) = (batch.tokens.len(), shape.width);
    let longest = batch
        .segments
        .iter()
        .map(ExactSizeIterator::len)
        .max()
        .unwrap_or(0);
    tape.rotary.extend(shape, longest);
    tape.ran = layers.to_vec();
    tape.blocks.resize_with(layers.len(), BlockTape::default);

    let embedding = &parameters[layout.embedding.clone()];
    let mut stream = Vec::with_capacity(count * width);
    for &token in &batch.tokens {
        stream.extend_from_slice(&embedding[token as usize * width..][..width]);
    }
    for (&layer, block_tape) in layers.iter().zip(&mut tape.blocks) {
        stream = block(
            shape,
            &layout.blocks[layer],
            parameters,
            &batch.segments,
            &tape.rotary,
            stream,
            block_tape,
        );
    }

    tape.last.clear();
    for &row in &batch.rows {
        tape.last.extend_from_slice(&stream[row * width..][..width]);
    }
    norm(
        shape,
        &tape.last,
        &parameters[layout.norm.clone()],
        &mut tape.last_normed,
        &mut tape.last_scale,
    );
    let rows = batch.rows.len();
    resize(&mut tape.logits, rows * shape.vocab);
    let hidden = View::new(&tape.last_normed, rows, width);
    let head = View::new(&parameters[layout.head.clone()], shape.vocab, width);
    product(
        &mut tape.logits,
        shape.vocab,
        Write::Overwrite,
        1.0,
        hidden,
        head.t(),
    );
}

/// One block: takes the residual stream and returns it.
fn block(
    shape: &Shape,
    at: &Block,
    parameters: &[f32],
    segments: &[Range<usize>],
    rotary: &Rotary,
    stream: Vec<f32>,
    tape: &mut BlockTape,
) -> Vec<f32> {
    let (width, hidden) = (shape.width, shape.hidden);
    let count = stream.len() / width;
    let (query_width, key_width) = (
        shape.heads * shape.head_width,
        shape.kv_heads * shape.head_width,
    );
    let linear =
        |out: &mut Vec<f32>, input: &[f32], weight: &Range<usize>, from: usize, to: usize| {
            resize(out, count * to);
            let weight = View::new(&parameters[weight.clone()], to, from).t();
            product(
                out,
                to,
                Write::Overwrite,
                1.0,
                View::new(input, count, from),
                weight,
            );
        };

    tape.input = stream;
    norm(
        shape,
        &tape.input,
        &parameters[at.attention_norm.clone()],
        &mut tape.normed,
        &mut tape.input_scale,
    );
    linear(&mut tape.query, &tape.normed, &at.query, width, query_width);
    linear(&mut tape.key, &tape.normed, &at.key, width, key_width);
    linear(&mut tape.value, &tape.normed, &at.value, width, key_width);
    rotary.turn(segments, &mut tape.query, query_width, 1.0);
    rotary.turn(segments, &mut tape.key, key_width, 1.0);
    attend(shape, segments, tape);

    let mut middle = std::mem::take(&mut tape.middle);
    linear(&mut middle, &tape.mixed, &at.output, query_width, width);
    add(&mut middle, &tape.input);
    norm(
        shape,
        &middle,
        &parameters[at.feed_norm.clone()],
        &mut tape.feed,
        &mut tape.middle_scale,
    );
    linear(&mut tape.gate, &tape.feed, &at.gate, width, hidden);
    linear(&mut tape.up, &tape.feed, &at.up, width, hidden);
    resize(&mut tape.active, count * hidden);
    for ((active, &gate), &up) in tape.active.iter_mut().zip(&tape.gate).zip(&tape.up) {
        *active = gate / (1.0 + exp(-gate)) * up;
    }
    let mut stream = Vec::new();
    linear(&mut stream, &tape.active, &at.down, hidden, width);
    add(&mut stream, &middle);
    tape.middle = middle;
    stream
}

/// Causal attention within each segment.
fn attend(shape: &Shape, segments: &[Range<usize>], tape: &mut BlockTape) {
    let (heads, head_width) = (shape.heads, shape.head_width);
    let (query_width, key_width) = (heads * head_width, shape.kv_heads * head_width);
    resize(&mut tape.mixed, tape.query.len());
    let squares: usize = segments
        .iter()
        .map(|segment| heads * segment.len() * segment.len())
        .sum();
    resize(&mut tape.attention, squares);
    let scale = 1.0 / (head_width as f32).sqrt();
    let mut offset = 0;
    for segment in segments {
        let length = segment.len();
        for head in 0..heads {
            let shared = head / (heads / shape.kv_heads) * head_width;
            let at = segment.start * query_width + head * head_width;
            let shared_at = segment.start * key_width + shared;
            let query = View::strided(&tape.query[at..], length, head_width, query_width);
            let key = View::strided(&tape.key[shared_at..], length, head_width, key_width);
            let value = View::strided(&tape.value[shared_at..], length, head_width, key_width);
            let square = &mut tape.attention[offset..offset + length * length];
            product(square, length, Write::Overwrite, scale, query, key.t());
            for (row, scores) in square.chunks_exact_mut(length).enumerate() {
                let (seen, unseen) = scores.split_at_mut(row + 1);
                softmax(seen);
                unseen.fill(0.0);
            }
            let square = View::new(square, length, length);
            product(
                &mut tape.mixed[at..],
                query_width,
                Write::Overwrite,
                1.0,
                square,
                value,
            );
            offset += length * length;
        }
    }
}

/// Root-mean-square norm of each row.
pub(super) fn norm(
    shape: &Shape,
    input: &[f32],
    weight: &[f32],
    out: &mut Vec<f32>,
    scales: &mut Vec<f32>,
) {
    let width = shape.width;
    resize(out, input.len());
    scales.clear();
    for (row, out) in input.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        let scale = 1.0 / (dot(row, row) / width as f32 + shape.norm_epsilon).sqrt();
        scales.push(scale);
        for ((out, &x), &w) in out.iter_mut().zip(row).zip(weight) {
            *out = x * scale * w;
        }
    }
}

/// Rotary position embedding: component i of a head turns with component i + half.
#[derive(Default)]
pub(super) struct Rotary {
    cosines: Vec<f32>,
    sines: Vec<f32>,
    half: usize,
}

impl Rotary {
    pub(super) fn extend(&mut self, shape: &Shape, positions: usize) {
        let half = shape.head_width / 2;
        if self.half == half && self.cosines.len() >= positions * half {
            return;
        }
        self.half = half;
        let angle = |at: usize| {
            let frequency = f64::from(shape.rope_theta).powf(-((at % half) as f64) / half as f64);
            (at / half) as f64 * frequency
        };
        self.cosines = (0..positions * half)
            .map(|at| angle(at).cos() as f32)
            .collect();
        self.sines = (0..positions * half)
            .map(|at| angle(at).sin() as f32)
            .collect();
    }

    /// Turns each head of rows `row_width` wide forwards (`direction` 1) or back (-1).
    pub(super) fn turn(
        &self,
        segments: &[Range<usize>],
        rows: &mut [f32],
        row_width: usize,
        direction: f32,
    ) {
        for segment in segments {
            for (position, row) in segment.clone().enumerate() {
                self.turn_at(
                    position,
                    &mut rows[row * row_width..][..row_width],
                    direction,
                );
            }
        }
    }

    /// Turns each head of one row that stands at `position`.
    pub(super) fn turn_at(&self, position: usize, row: &mut [f32], direction: f32) {
        let half = self.half;
        let cosines = &self.cosines[position * half..][..half];
        let sines = &self.sines[position * half..][..half];
        for head in row.chunks_exact_mut(2 * half) {
            let (low, high) = head.split_at_mut(half);
            for (((low, high), &cos), &sin) in low.iter_mut().zip(high).zip(cosines).zip(sines) {
                let (x, y, sin) = (*low, *high, sin * direction);
                *low = x * cos - y * sin;
                *high = y * cos + x * sin;
            }
        }
    }
}

/// Sets the length without clearing what will be overwritten anyway.
pub(super) fn resize(buffer: &mut Vec<f32>, length: usize) {
    buffer.resize(length, 0.0);
}

pub(super) fn add(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}
