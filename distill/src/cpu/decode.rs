//! Generate token by token with kept keys and values, many sequences at once.

use super::{
    forward::{Batch, Rotary, Tape, add, forward, norm, resize},
    layout::Layout,
    matrix::{View, Write, dot, exp, product, softmax},
};

/// Sequences in the course of being continued.
pub(crate) struct Decoding<'a> {
    layout: &'a Layout,
    parameters: &'a [f32],
    layers: Vec<usize>,
    rotary: Rotary,
    sequences: Vec<Sequence>,
    /// Logits of the last token of each sequence, sequences x vocab.
    pub(crate) logits: Vec<f32>,
}

struct Sequence {
    length: usize,
    /// Rotated keys and values of each block, position by position.
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
}

impl<'a> Decoding<'a> {
    /// Runs the prompts, none of them empty; no sequence will grow beyond `longest` tokens.
    pub(crate) fn new(
        layout: &'a Layout,
        parameters: &'a [f32],
        layers: &[usize],
        prompts: &[&[u32]],
        longest: usize,
    ) -> Self {
        let mut batch = Batch::default();
        for prompt in prompts {
            batch.push(prompt, [prompt.len() - 1]);
        }
        let mut tape = Tape::default();
        forward(layout, parameters, layers, &batch, &mut tape);
        let key_width = layout.shape.kv_heads * layout.shape.head_width;
        let cut = |data: &[f32], segment: &std::ops::Range<usize>| {
            data[segment.start * key_width..segment.end * key_width].to_vec()
        };
        let sequences = batch.segments.iter().map(|segment| Sequence {
            length: segment.len(),
            keys: tape
                .blocks
                .iter()
                .map(|block| cut(&block.key, segment))
                .collect(),
            values: tape
                .blocks
                .iter()
                .map(|block| cut(&block.value, segment))
                .collect(),
        });
        let sequences = sequences.collect();
        let mut rotary = Rotary::default();
        rotary.extend(&layout.shape, longest);
        Decoding {
            layout,
            parameters,
            layers: layers.to_vec(),
            rotary,
            sequences,
            logits: tape.logits,
        }
    }

    /// Keeps only the sequences for which `keep` is true, in order.
    pub(crate) fn retain(&mut self, keep: &[bool]) {
        let mut keep = keep.iter();
        self.sequences
            .retain(|_| keep.next().copied().unwrap_or(false));
    }

    /// Appends one token to each sequence and leaves the next logits.
    pub(crate) fn append(&mut self, tokens: &[u32]) {
        let shape = &self.layout.shape;
        let (count, width, hidden) = (tokens.len(), shape.width, shape.hidden);
        let (query_width, key_width) = (
            shape.heads * shape.head_width,
            shape.kv_heads * shape.head_width,
        );
        let parameters = self.parameters;
        let linear = |input: &[f32], weight: &std::ops::Range<usize>, from: usize, to: usize| {
            let mut out = vec![0.0; count * to];
            let weight = View::new(&parameters[weight.clone()], to, from).t();
            product(
                &mut out,
                to,
                Write::Overwrite,
                1.0,
                View::new(input, count, from),
                weight,
            );
            out
        };
        let embedding = &parameters[self.layout.embedding.clone()];
        let mut stream: Vec<f32> = tokens
            .iter()
            .flat_map(|&token| &embedding[token as usize * width..][..width])
            .copied()
            .collect();
        let (mut normed, mut scales) = (Vec::new(), Vec::new());
        for (kept, &layer) in self.layers.iter().enumerate() {
            let at = &self.layout.blocks[layer];
            norm(
                shape,
                &stream,
                &parameters[at.attention_norm.clone()],
                &mut normed,
                &mut scales,
            );
            let mut queries = linear(&normed, &at.query, width, query_width);
            let mut keys = linear(&normed, &at.key, width, key_width);
            let values = linear(&normed, &at.value, width, key_width);
            let mut mixed = vec![0.0; count * query_width];
            for (row, sequence) in self.sequences.iter_mut().enumerate() {
                let query = &mut queries[row * query_width..][..query_width];
                let key = &mut keys[row * key_width..][..key_width];
                self.rotary.turn_at(sequence.length, query, 1.0);
                self.rotary.turn_at(sequence.length, key, 1.0);
                sequence.keys[kept].extend_from_slice(key);
                sequence.values[kept].extend_from_slice(&values[row * key_width..][..key_width]);
                let out = &mut mixed[row * query_width..][..query_width];
                attend(
                    shape.heads / shape.kv_heads,
                    shape.head_width,
                    query,
                    &sequence.keys[kept],
                    &sequence.values[kept],
                    key_width,
                    out,
                );
            }
            add(&mut stream, &linear(&mixed, &at.output, query_width, width));
            norm(
                shape,
                &stream,
                &parameters[at.feed_norm.clone()],
                &mut normed,
                &mut scales,
            );
            let mut gate = linear(&normed, &at.gate, width, hidden);
            for (gate, up) in gate.iter_mut().zip(linear(&normed, &at.up, width, hidden)) {
                *gate = *gate / (1.0 + exp(-*gate)) * up;
            }
            add(&mut stream, &linear(&gate, &at.down, hidden, width));
        }
        for sequence in &mut self.sequences {
            sequence.length += 1;
        }
        norm(
            shape,
            &stream,
            &parameters[self.layout.norm.clone()],
            &mut normed,
            &mut scales,
        );
        resize(&mut self.logits, count * shape.vocab);
        let head = View::new(&parameters[self.layout.head.clone()], shape.vocab, width).t();
        product(
            &mut self.logits,
            shape.vocab,
            Write::Overwrite,
            1.0,
            View::new(&normed, count, width),
            head,
        );
    }
}

/// Attention of one new position over all kept ones.
fn attend(
    sharing: usize,
    head_width: usize,
    query: &[f32],
    keys: &[f32],
    values: &[f32],
    key_width: usize,
    out: &mut [f32],
) {
    let scale = 1.0 / (head_width as f32).sqrt();
    let mut scores = Vec::with_capacity(keys.len() / key_width);
    for (head, (query, out)) in query
        .chunks_exact(head_width)
        .zip(out.chunks_exact_mut(head_width))
        .enumerate()
    {
        let from = head / sharing * head_width;
        scores.clear();
        scores.extend(
            keys.chunks_exact(key_width)
                .map(|key| dot(query, &key[from..from + head_width]) * scale),
        );
        softmax(&mut scores);
        for (score, value) in scores.iter().zip(values.chunks_exact(key_width)) {
            for (out, value) in out.iter_mut().zip(&value[from..]) {
                *out += score * value;
            }
        }
    }
}
