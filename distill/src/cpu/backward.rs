//! The backward pass: gradients of every parameter from the gradient of the logits.

use std::ops::Range;

use super::{
    forward::{Batch, BlockTape, Rotary, Tape, add, resize},
    layout::{Block, Layout, Shape},
    matrix::{View, Write, dot, exp, product},
};

/// Adds to `gradients` what the logits' gradient implies, for the pass that `tape` recorded.
///
/// `logits` holds dLoss/dLogit, rows x vocab, in the order of `batch.rows`.
pub(crate) fn backward(
    layout: &Layout,
    parameters: &[f32],
    batch: &Batch,
    tape: &Tape,
    logits: &[f32],
    gradients: &mut [f32],
) {
    let shape = &layout.shape;
    let (vocab, width, rows) = (shape.vocab, shape.width, batch.rows.len());
    let head = &parameters[layout.head.clone()];
    let slope = View::new(logits, rows, vocab);

    product(
        &mut gradients[layout.head.clone()],
        width,
        Write::Add,
        1.0,
        slope.t(),
        View::new(&tape.last_normed, rows, width),
    );
    let mut hidden = vec![0.0; rows * width];
    product(
        &mut hidden,
        width,
        Write::Overwrite,
        1.0,
        slope,
        View::new(head, vocab, width),
    );
    let mut last = vec![0.0; rows * width];
    let weight = &parameters[layout.norm.clone()];
    norm(
        &tape.last,
        &tape.last_scale,
        weight,
        &hidden,
        &mut last,
        &mut gradients[layout.norm.clone()],
    );

    let mut stream = vec![0.0; batch.tokens.len() * width];
    for (&row, slope) in batch.rows.iter().zip(last.chunks_exact(width)) {
        stream[row * width..][..width].copy_from_slice(slope);
    }
    let mut scratch = Scratch::default();
    for (&layer, block_tape) in tape.ran.iter().zip(&tape.blocks).rev() {
        let at = &layout.blocks[layer];
        block(
            shape,
            at,
            parameters,
            &batch.segments,
            &tape.rotary,
            block_tape,
            &mut stream,
            gradients,
            &mut scratch,
        );
    }
    let table = &mut gradients[layout.embedding.clone()];
    for (&token, slope) in batch.tokens.iter().zip(stream.chunks_exact(width)) {
        add(&mut table[token as usize * width..][..width], slope);
    }
}

/// Buffers that the blocks share.
#[derive(Default)]
struct Scratch {
    wide: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    feed: Vec<f32>,
    mixed: Vec<f32>,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    square: Vec<f32>,
}

/// Turns the gradient of a block's output (in `stream`) into that of its input, in place.
#[allow(
    clippy::too_many_arguments,
    reason = "one call site; a struct would only rename the arguments"
)]
fn block(
    shape: &Shape,
    at: &Block,
    parameters: &[f32],
    segments: &[Range<usize>],
    rotary: &Rotary,
    tape: &BlockTape,
    stream: &mut [f32],
    gradients: &mut [f32],
    scratch: &mut Scratch,
) {
    let (width, hidden) = (shape.width, shape.hidden);
    let count = stream.len() / width;
    let (query_width, key_width) = (
        shape.heads * shape.head_width,
        shape.kv_heads * shape.head_width,
    );
    // For y = x W^T: dW += dy^T x and dx (+)= dy W.
    let mut linear = |slope: &[f32],
                      input: &[f32],
                      at: &Range<usize>,
                      from: usize,
                      to: usize,
                      out: &mut Vec<f32>,
                      write: Write| {
        let slope = View::new(slope, count, to);
        let input = View::new(input, count, from);
        product(
            &mut gradients[at.clone()],
            from,
            Write::Add,
            1.0,
            slope.t(),
            input,
        );
        resize(out, count * from);
        product(
            out,
            from,
            write,
            1.0,
            slope,
            View::new(&parameters[at.clone()], to, from),
        );
    };

    // Feed-forward: out = middle + down(silu(gate(feed)) * up(feed)).
    linear(
        stream,
        &tape.active,
        &at.down,
        hidden,
        width,
        &mut scratch.wide,
        Write::Overwrite,
    );
    resize(&mut scratch.gate, count * hidden);
    resize(&mut scratch.up, count * hidden);
    let slopes = scratch.gate.iter_mut().zip(&mut scratch.up);
    for (((gate_slope, up_slope), &slope), (&gate, &up)) in slopes
        .zip(&scratch.wide)
        .zip(tape.gate.iter().zip(&tape.up))
    {
        let sigmoid = 1.0 / (1.0 + exp(-gate));
        *gate_slope = slope * up * sigmoid * (1.0 + gate * (1.0 - sigmoid));
        *up_slope = slope * gate * sigmoid;
    }
    linear(
        &scratch.gate,
        &tape.feed,
        &at.gate,
        width,
        hidden,
        &mut scratch.feed,
        Write::Overwrite,
    );
    linear(
        &scratch.up,
        &tape.feed,
        &at.up,
        width,
        hidden,
        &mut scratch.feed,
        Write::Add,
    );
    norm_at(
        parameters,
        gradients,
        &at.feed_norm,
        &tape.middle,
        &tape.middle_scale,
        &scratch.feed,
        stream,
    );

    // Attention: middle = input + output(attend(query, key, value)).
    let mut linear = |slope: &[f32],
                      input: &[f32],
                      at: &Range<usize>,
                      from: usize,
                      to: usize,
                      out: &mut Vec<f32>,
                      write: Write| {
        let slope = View::new(slope, count, to);
        let input = View::new(input, count, from);
        product(
            &mut gradients[at.clone()],
            from,
            Write::Add,
            1.0,
            slope.t(),
            input,
        );
        resize(out, count * from);
        product(
            out,
            from,
            write,
            1.0,
            slope,
            View::new(&parameters[at.clone()], to, from),
        );
    };
    linear(
        stream,
        &tape.mixed,
        &at.output,
        query_width,
        width,
        &mut scratch.mixed,
        Write::Overwrite,
    );
    attend(shape, segments, tape, scratch);
    rotary.turn(segments, &mut scratch.query, query_width, -1.0);
    rotary.turn(segments, &mut scratch.key, key_width, -1.0);
    linear(
        &scratch.query,
        &tape.normed,
        &at.query,
        width,
        query_width,
        &mut scratch.feed,
        Write::Overwrite,
    );
    linear(
        &scratch.key,
        &tape.normed,
        &at.key,
        width,
        key_width,
        &mut scratch.feed,
        Write::Add,
    );
    linear(
        &scratch.value,
        &tape.normed,
        &at.value,
        width,
        key_width,
        &mut scratch.feed,
        Write::Add,
    );
    norm_at(
        parameters,
        gradients,
        &at.attention_norm,
        &tape.input,
        &tape.input_scale,
        &scratch.feed,
        stream,
    );
}

fn norm_at(
    parameters: &[f32],
    gradients: &mut [f32],
    at: &Range<usize>,
    input: &[f32],
    scales: &[f32],
    slope: &[f32],
    stream: &mut [f32],
) {
    norm(
        input,
        scales,
        &parameters[at.clone()],
        slope,
        stream,
        &mut gradients[at.clone()],
    );
}

/// Backward of attention: from `scratch.mixed` to `scratch.{query, key, value}`, before the rotation is undone.
fn attend(shape: &Shape, segments: &[Range<usize>], tape: &BlockTape, scratch: &mut Scratch) {
    let (heads, head_width) = (shape.heads, shape.head_width);
    let (query_width, key_width) = (heads * head_width, shape.kv_heads * head_width);
    let scale = 1.0 / (head_width as f32).sqrt();
    resize(&mut scratch.query, tape.query.len());
    for buffer in [&mut scratch.key, &mut scratch.value] {
        buffer.clear();
        resize(buffer, tape.key.len());
    }
    let mut offset = 0;
    for segment in segments {
        let length = segment.len();
        resize(&mut scratch.square, length * length);
        for head in 0..heads {
            let shared = head / (heads / shape.kv_heads) * head_width;
            let at = segment.start * query_width + head * head_width;
            let shared_at = segment.start * key_width + shared;
            let view = |data, width| View::strided(data, length, head_width, width);
            let slope = view(&scratch.mixed[at..], query_width);
            let weights = &tape.attention[offset..offset + length * length];
            let square = View::new(weights, length, length);
            product(
                &mut scratch.value[shared_at..],
                key_width,
                Write::Add,
                1.0,
                square.t(),
                slope,
            );
            let value = view(&tape.value[shared_at..], key_width);
            product(
                &mut scratch.square,
                length,
                Write::Overwrite,
                1.0,
                slope,
                value.t(),
            );
            let rows = scratch
                .square
                .chunks_exact_mut(length)
                .zip(weights.chunks_exact(length));
            for (row, (slopes, weights)) in rows.enumerate() {
                let (seen, unseen) = slopes.split_at_mut(row + 1);
                let mean = dot(seen, &weights[..=row]);
                for (slope, weight) in seen.iter_mut().zip(weights) {
                    *slope = weight * (*slope - mean);
                }
                unseen.fill(0.0);
            }
            let square = View::new(&scratch.square, length, length);
            let key = view(&tape.key[shared_at..], key_width);
            product(
                &mut scratch.query[at..],
                query_width,
                Write::Overwrite,
                scale,
                square,
                key,
            );
            let query = view(&tape.query[at..], query_width);
            product(
                &mut scratch.key[shared_at..],
                key_width,
                Write::Add,
                scale,
                square.t(),
                query,
            );
            offset += length * length;
        }
    }
}

/// Backward of the norm: adds dLoss/dInput to `out` and dLoss/dWeight to `weights`.
fn norm(
    input: &[f32],
    scales: &[f32],
    weight: &[f32],
    slope: &[f32],
    out: &mut [f32],
    weights: &mut [f32],
) {
    let width = weight.len();
    let rows = input
        .chunks_exact(width)
        .zip(slope.chunks_exact(width))
        .zip(out.chunks_exact_mut(width));
    let mut weighted = vec![0.0; width];
    for (((input, slope), out), &scale) in rows.zip(scales) {
        for ((((weighted, gradient), &slope), &x), &w) in weighted
            .iter_mut()
            .zip(&mut *weights)
            .zip(slope)
            .zip(input)
            .zip(weight)
        {
            *weighted = slope * w;
            *gradient += slope * x * scale;
        }
        let pull = dot(&weighted, input) * scale * scale * scale / width as f32;
        for ((out, &x), &weighted) in out.iter_mut().zip(input).zip(&weighted) {
            *out += weighted * scale - x * pull;
        }
    }
}
