//! Losses on logits: each returns its value in nats and writes its gradient over the logits.

use crate::cpu::{exp, log_sum_exp, softmax};

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

/// Forward KL( p || q ) of a teacher's probabilities p. Leaves `weight * dLoss/dLogit` in `logits`.
pub(crate) fn forward_kl(logits: &mut [f32], teacher: &[f32], weight: f32) -> f32 {
    let partition = log_sum_exp(logits);
    let mut loss = 0.0;
    for (logit, &p) in logits.iter_mut().zip(teacher) {
        let log_q = *logit - partition;
        if p > 0.0 {
            loss += p * (p.ln() - log_q);
        }
        *logit = weight * (exp(log_q) - p);
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
