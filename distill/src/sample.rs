//! Sample continuations from a network in training, many prompts at once.

use athanor_model::Decoding;
use rand::Rng;

/// Continues every prompt, none of them empty, until `end` or for `longest` tokens; a temperature of 0 takes the likeliest.
/// A prompt that leaves less room in the context is continued as far as it goes.
pub(crate) fn continue_all(
    decoding: &mut Decoding,
    prompts: &[&[u32]],
    longest: usize,
    temperature: f32,
    end: u32,
    rng: &mut impl Rng,
) -> Vec<Vec<u32>> {
    let mut answers = Vec::with_capacity(prompts.len());
    for prompts in prompts.chunks(decoding.slots()) {
        answers.extend(continue_some(
            decoding,
            prompts,
            longest,
            temperature,
            end,
            rng,
        ));
    }
    answers
}

/// [`continue_all`] for no more prompts than there are slots.
fn continue_some(
    decoding: &mut Decoding,
    prompts: &[&[u32]],
    longest: usize,
    temperature: f32,
    end: u32,
    rng: &mut impl Rng,
) -> Vec<Vec<u32>> {
    let room = decoding.max_context();
    let mut answers = vec![Vec::new(); prompts.len()];
    let mut open: Vec<usize> = (0..prompts.len()).collect();
    decoding.start(prompts);
    for left in (0..longest).rev() {
        let rows = decoding.logits();
        let drawn: Vec<u32> = rows.map(|row| draw(row, temperature, rng)).collect();
        for (&index, &token) in open.iter().zip(&drawn) {
            answers[index].push(token);
        }
        let goes_on: Vec<bool> = open
            .iter()
            .zip(&drawn)
            .map(|(&index, &token)| {
                token != end && prompts[index].len() + answers[index].len() <= room
            })
            .collect();
        let mut on = goes_on.iter();
        open.retain(|_| on.next().copied().unwrap_or_default());
        if open.is_empty() || left == 0 {
            break;
        }
        decoding.retain(&goes_on);
        let drawn = drawn.into_iter().zip(&goes_on);
        let drawn: Vec<u32> = drawn
            .filter_map(|(token, on)| on.then_some(token))
            .collect();
        decoding.append(&drawn);
    }
    answers
}

fn draw(logits: &mut [f32], temperature: f32, rng: &mut impl Rng) -> u32 {
    if temperature <= 0.0 {
        let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        return best.map_or(0, |(token, _)| token as u32);
    }
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for logit in logits.iter_mut() {
        *logit = ((*logit - largest) / temperature).exp();
    }
    let mut left = rng.random::<f32>() * logits.iter().sum::<f32>();
    for (token, &weight) in logits.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return token as u32;
        }
    }
    (logits.len() - 1) as u32
}
