//! Draw tokens by the seeded Gumbel-max rule, and measure how well a claimed token fits it.
//!
//! The token of step `t` is `argmax_v ( l_v / T + g(seed, t, v) )`, ties going to the smaller id; `T = 0` is the
//! plain argmax. The map from (seed, step, token) to `g` is part of the protocol:
//!
//! - `w` is word `v mod 4` of `philox4x32-10(counter = [v / 4, t, 0, 0], key = [seed mod 2^32, seed / 2^32])`;
//! - `u = ((w / 2^8) + 1) / (2^24 + 1)`, integer division, so that `u` lies strictly inside (0, 1);
//! - `g = -ln(-ln u)` in f64, rounded to f32.
//!
//! Hence `-2.82 < g < 16.64`, and a token whose `l / T` lies more than that below the best score so far cannot win:
//! only the others need a draw.

mod philox;

use crate::{kernels::lanes, scorer::Logits};
use philox::philox;

/// The uniforms are multiples of one over this number.
const STEPS: f64 = 16_777_217.0;
/// Scores below this size are exact enough for [`falls_short`].
const EXACT_BELOW: f32 = 4096.0;

/// No Gumbel draw reaches this: the largest is `-ln(ln((2^24 + 1) / 2^24))`, just below `24 ln 2 + 2^-24`.
const GUMBEL_MAX: f32 = 16.64;

/// How far a claimed token lies from the seeded draw, in units of `l / T` (of `l` at temperature zero).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// The best score less the claimed token's; zero when the claimed token is the draw itself.
    pub margin: f32,
    /// The best score less the second best: how easily honest noise flips this token.
    pub gap: f32,
}

/// The standard Gumbel draw of a token at a step of a request.
#[inline]
pub fn gumbel(seed: u64, step: u32, token: u32) -> f32 {
    gumbel_of(Draws::new(seed, step).steps(token))
}

/// The uniforms of one step of a request, as multiples of `1 / (2^24 + 1)`.
struct Draws {
    seed: u64,
    step: u32,
    /// The last block of four and its words.
    block: u32,
    words: [u32; 4],
}

impl Draws {
    fn new(seed: u64, step: u32) -> Self {
        let words = Self::words(seed, step, 0);
        Self {
            seed,
            step,
            block: 0,
            words,
        }
    }

    #[inline]
    fn words(seed: u64, step: u32, block: u32) -> [u32; 4] {
        philox([block, step, 0, 0], [seed as u32, (seed >> 32) as u32])
    }

    /// The token's uniform, in `1..=2^24`.
    #[inline]
    fn steps(&mut self, token: u32) -> u32 {
        if token / 4 != self.block {
            self.block = token / 4;
            self.words = Self::words(self.seed, self.step, self.block);
        }
        (self.words[(token % 4) as usize] >> 8) + 1
    }
}

/// `-ln(-ln u)`.
#[inline]
fn gumbel_of(steps: u32) -> f32 {
    let uniform = f64::from(steps) / STEPS;
    -(-uniform.ln()).ln() as f32
}

/// Whether a draw certainly stays below `needed`, found without a logarithm: `-ln u >= 1 - u`, so a `1 - u` above
/// `exp(-needed)` rules it out. The slack of a thousandth is more than what rounding adds, for scores below 4096.
#[inline]
fn falls_short(steps: u32, needed: f32) -> bool {
    let missing = (STEPS - f64::from(steps)) as f32 * (1.0 / STEPS) as f32;
    missing > 1.001 * lanes::exp(-needed)
}

/// The token that the rule draws from a row of logits. A logit that is not a number never wins.
///
/// # Panics
/// When there are no logits.
pub fn sample(logits: &[f32], temperature: f32, seed: u64, step: u32) -> u32 {
    top_two(logits, temperature, seed, step).0.token
}

/// Compares a claimed token with the rule's own draw. A token outside the vocabulary has an infinite margin.
///
/// # Panics
/// When there are no logits.
pub fn observe(logits: &[f32], token: u32, temperature: f32, seed: u64, step: u32) -> Margin {
    let (best, second) = top_two(logits, temperature, seed, step);
    let margin = match logits.get(token as usize) {
        Some(_) if token == best.token => 0.0,
        Some(&logit) => best.score - score(logit, temperature, seed, step, token),
        None => f32::INFINITY,
    };
    Margin {
        // A logit that is not a number fits nothing.
        margin: if margin.is_nan() {
            f32::INFINITY
        } else {
            margin
        },
        gap: best.score - second.map_or(f32::NEG_INFINITY, |second| second.score),
    }
}

/// [`observe`] for every token of an answer: row `i` of `logits` predicts its token `i`, which was drawn at step `i`.
pub fn observe_answer<'a>(
    logits: &'a Logits,
    tokens: &'a [u32],
    temperature: f32,
    seed: u64,
) -> impl Iterator<Item = Margin> + 'a {
    let steps = tokens.iter().zip(0_u32..).enumerate();
    steps.map(move |(row, (token, step))| observe(logits.row(row), *token, temperature, seed, step))
}

#[derive(Clone, Copy, Debug)]
struct Scored {
    token: u32,
    score: f32,
}

impl Scored {
    /// Whether this one wins over another; the smaller id wins a tie.
    fn beats(&self, other: &Self) -> bool {
        self.score > other.score || (self.score == other.score && self.token < other.token)
    }
}

#[inline(always)]
fn score(logit: f32, temperature: f32, seed: u64, step: u32, token: u32) -> f32 {
    match temperature > 0.0 {
        true => logit / temperature + gumbel(seed, step, token),
        false => logit,
    }
}

/// The best and second best token. Draws are skipped where they cannot matter: rounding is monotonic, so
/// `l / T + GUMBEL_MAX < second` in f32 implies `l / T + g < second` in f32.
fn top_two(logits: &[f32], temperature: f32, seed: u64, step: u32) -> (Scored, Option<Scored>) {
    let likeliest = likeliest(logits);
    // Starting from the likeliest token, the bar is high from the first comparison on.
    let mut best = Scored {
        token: likeliest,
        score: score(
            logits[likeliest as usize],
            temperature,
            seed,
            step,
            likeliest,
        ),
    };
    let mut second: Option<Scored> = None;
    let mut draws = Draws::new(seed, step);
    for (token, &logit) in logits.iter().enumerate() {
        let token = token as u32;
        if token == likeliest || logit.is_nan() {
            continue;
        }
        let bar = second.map_or(f32::NEG_INFINITY, |second| second.score);
        let mut score = logit;
        if temperature > 0.0 {
            score /= temperature;
            if score + GUMBEL_MAX < bar {
                continue;
            }
            let steps = draws.steps(token);
            let is_exact = score.abs() < EXACT_BELOW && bar.abs() < EXACT_BELOW;
            if is_exact && falls_short(steps, bar - score) {
                continue;
            }
            score += gumbel_of(steps);
        } else if score < bar {
            continue;
        }
        let candidate = Scored { token, score };
        if candidate.beats(&best) {
            second = Some(best);
            best = candidate;
        } else if second.is_none_or(|second| candidate.beats(&second)) {
            second = Some(candidate);
        }
    }
    (best, second)
}

/// The token with the largest logit.
fn likeliest(logits: &[f32]) -> u32 {
    assert!(!logits.is_empty(), "a row of logits has at least one token");
    let mut best = 0;
    for (token, &logit) in logits.iter().enumerate() {
        if logit > logits[best] || logits[best].is_nan() {
            best = token;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests;
