//! What narrow weights cost: how far their predictions lie from those of f32.

use serde::Serialize;

use super::BenchmarkError;
use crate::{
    config::Config,
    device::DeviceChoice,
    kernels::{log_softmax, packed::WeightFormat},
    scorer::Scorer,
    tensors::Tensors,
};

/// How a text's predictions differ from those of f32 weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Fidelity {
    /// Predicted tokens.
    pub tokens: usize,
    /// Mean KL( f32 || narrow ) of the predictions, in nats per token.
    pub mean_kl: f64,
    /// Share of predictions whose likeliest token is another one.
    pub changed_argmax: f64,
}

impl Fidelity {
    /// Compares the predictions of a text, as much of it as the model's context holds.
    pub fn measure(
        config: &Config,
        tensors: &Tensors,
        device: DeviceChoice,
        format: WeightFormat,
        text: &[u32],
    ) -> Result<Self, BenchmarkError> {
        let text = &text[..text.len().min(config.max_position_embeddings)];
        let exact = Scorer::from_tensors(config, tensors, device)?.logits(text, 1)?;
        let scorer = Scorer::with_weights(config, tensors, device, format)?;
        let narrow = scorer.logits(text, 1)?;
        let (mut kl, mut changed) = (0.0, 0);
        for row in 0..exact.rows() {
            let [p, q] = [exact.row(row), narrow.row(row)].map(|logits| {
                let mut log_probabilities = vec![0.0; logits.len()];
                log_softmax::forward(logits, logits.len(), &mut log_probabilities);
                log_probabilities
            });
            let terms = p
                .iter()
                .zip(&q)
                .map(|(p, q)| f64::from(p.exp()) * f64::from(p - q));
            kl += terms.sum::<f64>();
            changed += usize::from(largest(&p) != largest(&q));
        }
        let tokens = exact.rows();
        Ok(Self {
            tokens,
            mean_kl: kl / tokens as f64,
            changed_argmax: changed as f64 / tokens as f64,
        })
    }
}

fn largest(row: &[f32]) -> Option<usize> {
    (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]))
}
