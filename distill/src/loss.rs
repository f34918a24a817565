//! Losses between a student and its teacher, in nats, one value per row.
//!
//! All take the student's log-probabilities, `[rows, vocab]`, and differentiate on any backend.

use athanor_model::ModelBackend;
use burn::tensor::{Int, Tensor, TensorData};

use crate::shard::{KEPT, Top};

/// The least probability that a student is taken to leave to all tokens that were not recorded.
const LEAST_TAIL: f32 = 1e-6;
/// The least probability of the mixture that a reverse KL divides by.
const LEAST_MIXTURE: f32 = 1e-30;

/// Cross-entropy with one true token per row: -ln q(target).
pub(crate) fn cross_entropy<B: ModelBackend>(
    log_q: Tensor<B, 2>,
    targets: impl Iterator<Item = u32>,
) -> Tensor<B, 1> {
    let [rows, _] = log_q.dims();
    let targets: Vec<i32> = targets.map(|target| target as i32).collect();
    let index =
        Tensor::<B, 2, Int>::from_data(TensorData::new(targets, [rows, 1]), &log_q.device());
    log_q.gather(1, index).neg().reshape([rows])
}

/// Forward KL( p || q ) of a teacher of which the likeliest tokens are known, all others being one outcome, the tail.
///
/// A coarser partition of the outcomes never overstates the KL, and unlike an even spread of the tail it does not teach one.
pub(crate) fn forward_kl<'a, B: ModelBackend>(
    log_q: Tensor<B, 2>,
    rows: impl Iterator<Item = &'a Top>,
) -> Tensor<B, 1> {
    let (mut index, mut weights) = (Vec::new(), Vec::new());
    let (mut constants, mut tails) = (Vec::new(), Vec::new());
    let mut used = Vec::new();
    for top in rows {
        // A place that was not used, as by a teacher that tells of fewer tokens, takes nothing from the others' share.
        used.extend(top.probabilities.map(|p| f32::from(u8::from(p > 0.0))));
        index.extend(top.tokens.iter().map(|&token| token as i32));
        weights.extend(top.probabilities);
        constants.push(top.negative_entropy());
        tails.push(top.tail());
    }
    let (count, device) = (tails.len(), log_q.device());
    let index = Tensor::<B, 2, Int>::from_data(TensorData::new(index, [count, KEPT]), &device);
    let weights = Tensor::<B, 2>::from_data(TensorData::new(weights, [count, KEPT]), &device);
    let used = Tensor::<B, 2>::from_data(TensorData::new(used, [count, KEPT]), &device);
    let column = |data| Tensor::<B, 2>::from_data(TensorData::new(data, [count, 1]), &device);
    let kept = log_q.gather(1, index);
    let q_tail = (kept.clone().exp() * used).sum_dim(1).neg().add_scalar(1.0);
    let log_tail = q_tail.clamp_min(LEAST_TAIL).log();
    let loss = column(constants) - (kept * weights).sum_dim(1) - column(tails) * log_tail;
    loss.reshape([count])
}

/// Forward KL( p || q ) over the whole vocabulary; `teacher` holds the teacher's log-probabilities.
pub(crate) fn full_forward_kl<B: ModelBackend>(
    log_q: Tensor<B, 2>,
    teacher: Tensor<B, 2>,
) -> Tensor<B, 1> {
    let [rows, _] = log_q.dims();
    let ratio = teacher.clone() - log_q;
    (teacher.exp() * ratio).sum_dim(1).reshape([rows])
}

/// Skewed reverse KL( q || (1-s) p + s q ), the loss that grades a miner's own answers. `teacher` holds the teacher's
/// log-probabilities.
pub(crate) fn skewed_reverse_kl<B: ModelBackend>(
    log_q: Tensor<B, 2>,
    teacher: Tensor<B, 2>,
    skew: f32,
) -> Tensor<B, 1> {
    let [rows, _] = log_q.dims();
    let q = log_q.clone().exp();
    let mixture = teacher.exp().mul_scalar(1.0 - skew) + q.clone().mul_scalar(skew);
    let ratio = log_q - mixture.clamp_min(LEAST_MIXTURE).log();
    (q * ratio).sum_dim(1).reshape([rows])
}

impl Top {
    /// The probability of all tokens that are not kept.
    pub(crate) fn tail(&self) -> f32 {
        (1.0 - self.probabilities.iter().sum::<f32>()).max(0.0)
    }

    /// Sum of p ln p over the kept tokens and the tail.
    fn negative_entropy(&self) -> f32 {
        let all = self.probabilities.into_iter().chain([self.tail()]);
        all.filter(|&p| p > 0.0).map(|p| p * p.ln()).sum()
    }

    /// KL( teacher || softmax(logits) ) in nats, with all tokens that are not kept as one outcome.
    pub fn divergence(&self, logits: &[f32]) -> f64 {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exps = logits.iter().map(|&x| f64::from(x - largest).exp());
        let log_sum = exps.sum::<f64>().ln();
        let (mut loss, mut kept) = (f64::from(self.negative_entropy()), 0.0);
        for (&token, &p) in self.tokens.iter().zip(&self.probabilities) {
            let log_q = f64::from(logits[token as usize] - largest) - log_sum;
            loss -= f64::from(p) * log_q;
            kept += log_q.exp();
        }
        loss - f64::from(self.tail()) * (1.0 - kept).max(f64::from(LEAST_TAIL)).ln()
    }
}

#[cfg(test)]
mod tests;
