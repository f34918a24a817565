//! Losses on logits: each returns its value in nats and writes its gradient over the logits.

use crate::cpu::{log_sum_exp, softmax};

/// Cross-entropy with one true token: -ln q(target). Leaves `weight * dLoss/dLogit` in `logits`.
pub(crate) fn cross_entropy(logits: &mut [f32], target: u32, weight: f32) -> f32 {
    let target = target as usize;
    let loss = log_sum_exp(logits) - logits[target];
    softmax(logits);
    logits[target] -= 1.0;
    for slope in logits {
        *slope *= weight;
    }
    loss
}

/// Forward KL( p || q ) of a teacher of which the likeliest tokens are known; all others are one outcome, the tail.
/// Leaves `weight * dLoss/dLogit` in `logits`.
///
/// A coarser partition of the outcomes never overstates the KL, and unlike an even spread of the tail it does not teach one.
pub(crate) fn forward_kl(
    logits: &mut [f32],
    tokens: &[u32],
    probabilities: &[f32],
    weight: f32,
) -> f32 {
    softmax(logits);
    let term = |p: f32, q: f32| {
        if p > 0.0 {
            p * (p / q.max(1e-12)).ln()
        } else {
            0.0
        }
    };
    let (mut loss, mut p_kept, mut q_kept) = (0.0, 0.0, 0.0);
    for (&token, &p) in tokens.iter().zip(probabilities) {
        let q = logits[token as usize];
        loss += term(p, q);
        p_kept += p;
        q_kept += q;
    }
    let (p_tail, q_tail) = ((1.0 - p_kept).max(0.0), (1.0 - q_kept).max(1e-6));
    loss += term(p_tail, q_tail);
    let pull = weight * (1.0 - p_tail / q_tail);
    let kept: Vec<f32> = tokens.iter().map(|&token| logits[token as usize]).collect();
    for q in logits.iter_mut() {
        *q *= pull;
    }
    for ((&token, &p), q) in tokens.iter().zip(probabilities).zip(kept) {
        logits[token as usize] = weight * (q - p);
    }
    loss
}

/// Skewed reverse KL( q || (1-s) p + s q ), the loss that grades a miner's own answers. Leaves `weight * dLoss/dLogit`.
///
/// With m = (1-s) p + s q and r = ln(q/m) + 1 - s q/m, the slope of logit v is q_v (r_v - sum_u q_u r_u).
pub(crate) fn skewed_reverse_kl(
    logits: &mut [f32],
    teacher: &[f32],
    skew: f32,
    weight: f32,
) -> f32 {
    softmax(logits);
    let (mut loss, mut mean) = (0.0, 0.0);
    let ratio = |q: f32, p: f32| {
        let q = q.max(1e-20);
        let m = (1.0 - skew) * p + skew * q;
        ((q / m).ln(), q / m)
    };
    for (&q, &p) in logits.iter().zip(teacher) {
        let (log, quotient) = ratio(q, p);
        loss += q * log;
        mean += q * (log + 1.0 - skew * quotient);
    }
    for (q, &p) in logits.iter_mut().zip(teacher) {
        let (log, quotient) = ratio(*q, p);
        *q = weight * *q * (log + 1.0 - skew * quotient - mean);
    }
    loss
}

#[cfg(test)]
mod tests;
