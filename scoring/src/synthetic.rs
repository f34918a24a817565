//! Draw synthetic answers, honest and forged, to measure the audit without a model.
//!
//! Logits are those of 256 candidates per token, Gaussian around a sharpness that varies from token to token, with a
//! mean entropy near 0.91 nats at temperature 1. The validator's replay sees them exactly; the server's differ by the
//! noise or the dishonesty that a [`Server`] names.

use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;

use crate::evidence::TokenObservation;

/// Candidates per token.
const CANDIDATES: usize = 256;
/// Spread of logits in nats: uniform between these over tokens. Gives a mean entropy of about 0.91 nats.
const SHARPNESS: (f32, f32) = (2.8, 14.0);

/// How an answer is produced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Server {
    /// The committed checkpoint, with logits that differ from the replay's by noise of this standard deviation (nats).
    /// The noise of a request shares a log-normal scale, as requests share a batch and a cache.
    Honest {
        /// Standard deviation s0 over all requests.
        noise: f32,
    },
    /// The committed checkpoint with Gumbel draws of its own.
    IgnoredSeed,
    /// The committed checkpoint at temperature 0.
    Greedy,
    /// Another checkpoint: logits that differ by this standard deviation (nats). 0.35 to 0.45 for a sibling from the
    /// same teacher, about 0.25 for 4-bit weights.
    OtherCheckpoint {
        /// Standard deviation of the difference.
        difference: f32,
    },
    /// The committed checkpoint at this multiple of the temperature.
    OtherTemperature {
        /// Factor, 1 for the asked temperature.
        factor: f32,
    },
}

/// Replays one request of `tokens` tokens at `temperature` (above 0).
pub fn request(
    server: Server,
    tokens: usize,
    temperature: f32,
    rng: &mut impl RngCore,
) -> Vec<TokenObservation> {
    // Scale of a request's noise relative to s0: log-normal with a mean square of 1.
    let scale = (0.5 * normal(rng) - 0.25).exp();
    (0..tokens)
        .map(|_| token(server, scale, temperature, rng))
        .collect()
}

fn token(server: Server, scale: f32, temperature: f32, rng: &mut impl RngCore) -> TokenObservation {
    let logits = logits(rng);
    let mut scores = [0.0; CANDIDATES];
    for (score, logit) in scores.iter_mut().zip(logits) {
        *score = logit / temperature + gumbel(rng);
    }
    let (best, second) = best_two(&scores);
    let claimed = match server {
        Server::Honest { noise } => perturbed(&scores, noise * scale / temperature, rng),
        Server::IgnoredSeed => argmax(logits.map(|logit| logit / temperature + gumbel(rng))),
        Server::Greedy => argmax(logits),
        Server::OtherCheckpoint { difference } => perturbed(&scores, difference / temperature, rng),
        Server::OtherTemperature { factor } => {
            let mut other = scores;
            for (score, logit) in other.iter_mut().zip(logits) {
                *score += logit / temperature * (1.0 / factor - 1.0);
            }
            argmax(other)
        }
    };
    TokenObservation {
        margin: best - scores[claimed],
        gap: best - second,
    }
}

/// Mean entropy in nats of the synthetic distribution at temperature 1, over `tokens` draws.
pub fn mean_entropy(tokens: usize, rng: &mut impl RngCore) -> f64 {
    let entropy = |logits: [f32; CANDIDATES]| {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mass = logits.map(|logit| f64::from(logit - max).exp());
        let total: f64 = mass.iter().sum();
        total.ln()
            - logits
                .iter()
                .zip(mass)
                .map(|(l, m)| f64::from(l - max) * m)
                .sum::<f64>()
                / total
    };
    (0..tokens).map(|_| entropy(logits(rng))).sum::<f64>() / tokens as f64
}

fn logits(rng: &mut impl RngCore) -> [f32; CANDIDATES] {
    let sharpness = rng.random_range(SHARPNESS.0..SHARPNESS.1);
    let mut logits = [0.0; CANDIDATES];
    for logit in &mut logits {
        *logit = sharpness * normal(rng);
    }
    logits
}

/// The winner after noise on every candidate; only those that the noise can lift to the top draw any.
fn perturbed(scores: &[f32; CANDIDATES], sd: f32, rng: &mut impl RngCore) -> usize {
    let (best, _) = best_two(scores);
    let mut winner = (f32::NEG_INFINITY, 0);
    for (index, score) in scores.iter().enumerate() {
        if best - score <= 10.0 * sd {
            let score = score + sd * normal(rng);
            if score > winner.0 {
                winner = (score, index);
            }
        }
    }
    winner.1
}

fn best_two(scores: &[f32; CANDIDATES]) -> (f32, f32) {
    let mut best = (f32::NEG_INFINITY, f32::NEG_INFINITY);
    for score in scores {
        if *score > best.0 {
            best = (*score, best.0);
        } else if *score > best.1 {
            best.1 = *score;
        }
    }
    best
}

fn argmax(scores: [f32; CANDIDATES]) -> usize {
    let mut best = 0;
    for (index, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = index;
        }
    }
    best
}

/// A standard Gumbel draw.
fn gumbel(rng: &mut impl RngCore) -> f32 {
    -(-open_unit(rng).ln()).ln()
}

/// Uniform in (0, 1), ends excluded: 23 bits and a half are exact in an `f32`, while 24 and a half would round to 1.
fn open_unit(rng: &mut impl RngCore) -> f32 {
    ((rng.next_u32() >> 9) as f32 + 0.5) / (1 << 23) as f32
}

/// Adds normal noise of this standard deviation, in nats, to every logit; nothing where it is 0.
pub fn add_noise(logits: &mut [f32], deviation: f32, rng: &mut ChaCha8Rng) {
    if deviation <= 0.0 {
        return;
    }
    for pair in logits.chunks_mut(2) {
        let radius = deviation * (-2.0 * open_unit(rng).ln()).sqrt();
        let (sin, cos) = (std::f32::consts::TAU * open_unit(rng)).sin_cos();
        pair.iter_mut()
            .zip([radius * cos, radius * sin])
            .for_each(|(logit, noise)| *logit += noise);
    }
}

/// A standard normal draw (Box-Muller, one of the pair).
pub fn normal(rng: &mut impl RngCore) -> f32 {
    (-2.0 * open_unit(rng).ln()).sqrt() * (std::f32::consts::TAU * open_unit(rng)).cos()
}
