//! Sample continuations from a network in training, many prompts at once.

use rand::Rng;

use crate::{
    cpu::{Decoding, softmax},
    network::Network,
};

/// Continues every prompt, none of them empty, until `end` or for `longest` tokens; a temperature of 0 takes the likeliest.
pub(crate) fn continue_all(
    network: &Network,
    layers: &[usize],
    prompts: &[&[u32]],
    longest: usize,
    temperature: f32,
    end: u32,
    rng: &mut impl Rng,
) -> Vec<Vec<u32>> {
    let mut answers = vec![Vec::new(); prompts.len()];
    let mut open: Vec<usize> = (0..prompts.len()).collect();
    let room = prompts.iter().map(|prompt| prompt.len()).max().unwrap_or(0) + longest;
    let mut decoding = Decoding::new(&network.layout, &network.parameters, layers, prompts, room);
    for left in (0..longest).rev() {
        let rows = decoding.logits.chunks_exact_mut(network.config.vocab_size);
        let drawn: Vec<u32> = rows.map(|row| draw(row, temperature, rng)).collect();
        for (&index, &token) in open.iter().zip(&drawn) {
            answers[index].push(token);
        }
        let goes_on: Vec<bool> = drawn.iter().map(|&token| token != end).collect();
        open = open
            .into_iter()
            .zip(&goes_on)
            .filter(|(_, on)| **on)
            .map(|(index, _)| index)
            .collect();
        if open.is_empty() || left == 0 {
            break;
        }
        decoding.retain(&goes_on);
        let drawn: Vec<u32> = drawn.into_iter().filter(|&token| token != end).collect();
        decoding.append(&drawn);
    }
    answers
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
