//! Sample continuations from a network in training, many prompts at once.

use rand::Rng;

use crate::{
    cpu::{Batch, Tape, forward, softmax},
    network::Network,
};

/// Continues every prompt until `end` or for `longest` tokens; a temperature of 0 takes the likeliest token.
///
/// Runs the whole sequence again for every token: the answers here are a few tokens long, and training needs no cache.
pub fn continue_all(
    network: &Network,
    layers: &[usize],
    prompts: &[&[u32]],
    longest: usize,
    temperature: f32,
    end: u32,
    rng: &mut impl Rng,
) -> Vec<Vec<u32>> {
    let mut sequences: Vec<Vec<u32>> = prompts.iter().map(|prompt| prompt.to_vec()).collect();
    let mut open: Vec<usize> = (0..prompts.len()).collect();
    let mut tape = Tape::default();
    let vocab = network.config.vocab_size;
    for _ in 0..longest {
        if open.is_empty() {
            break;
        }
        let mut batch = Batch::default();
        for &index in &open {
            let sequence = &sequences[index];
            batch.push(sequence, [sequence.len() - 1]);
        }
        forward(&network.layout, &network.parameters, layers, &batch, &mut tape);
        let rows: Vec<u32> =
            tape.logits.chunks_exact_mut(vocab).map(|row| draw(row, temperature, rng)).collect();
        for (&index, &token) in open.iter().zip(&rows) {
            sequences[index].push(token);
        }
        open.retain(|&index| sequences[index].last() != Some(&end));
    }
    sequences.into_iter().zip(prompts).map(|(sequence, prompt)| sequence[prompt.len()..].to_vec()).collect()
}

fn draw(logits: &mut [f32], temperature: f32, rng: &mut impl Rng) -> u32 {
    if temperature <= 0.0 {
        let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        return best.map_or(0, |(token, _)| token as u32);
    }
    for logit in logits.iter_mut() {
        *logit /= temperature;
    }
    softmax(logits);
    let mut left = rng.random::<f32>();
    for (token, &p) in logits.iter().enumerate() {
        left -= p;
        if left < 0.0 {
            return token as u32;
        }
    }
    (logits.len() - 1) as u32
}
