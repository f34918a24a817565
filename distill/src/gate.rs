//! Decide from paired losses whether a new checkpoint really beats the served one.
//!
//! The evidence is an e-process (a non-negative supermartingale under the null "no better by more than epsilon"): it may be
//! read after every item and stopped whenever it is convincing, and it still publishes a checkpoint that is no better
//! with probability at most alpha over the whole life of the gate.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The stakes that are averaged, as fractions of the wealth.
const STAKES: [f64; 7] = [0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8];

/// When a gate opens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateSettings {
    /// Probability of ever letting a checkpoint through that is no better.
    pub alpha: f64,
    /// The least mean advantage that counts, in units of `scale`.
    pub epsilon: f64,
    /// The difference of losses, in nats per token, that maps to 1; larger ones are cut.
    pub scale: f64,
}

impl Default for GateSettings {
    fn default() -> Self {
        // A typical item moves by some hundredths of a nat between two checkpoints that are a minute of training apart.
        GateSettings {
            alpha: 0.05,
            epsilon: 0.0,
            scale: 0.25,
        }
    }
}

/// Why settings make no gate.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum GateError {
    /// Not a probability that can be spent.
    #[error("alpha = {0} is not between 0 and 1")]
    Alpha(f64),
    /// No advantage could ever exceed it.
    #[error("epsilon = {0} is not in [0, 1)")]
    Epsilon(f64),
    /// Not a difference of losses.
    #[error("scale = {0} is not positive")]
    Scale(f64),
}

/// The evidence for one candidate after another.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    settings: GateSettings,
    /// Wealth of each stake.
    wealth: [f64; STAKES.len()],
    observed: u64,
    /// One-based number of the current candidate.
    candidate: u32,
}

/// What a gate has seen, to be gone on with later; wealth as the bits of f64, so that nothing is rounded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Evidence {
    wealth: [u64; STAKES.len()],
    observed: u64,
    candidate: u32,
}

impl Gate {
    /// A gate in front of its first candidate.
    pub fn new(settings: GateSettings) -> Result<Gate, GateError> {
        if !(settings.alpha > 0.0 && settings.alpha < 1.0) {
            return Err(GateError::Alpha(settings.alpha));
        }
        if !(0.0..1.0).contains(&settings.epsilon) {
            return Err(GateError::Epsilon(settings.epsilon));
        }
        if !(settings.scale > 0.0 && settings.scale.is_finite()) {
            return Err(GateError::Scale(settings.scale));
        }
        Ok(Gate {
            settings,
            wealth: [1.0; STAKES.len()],
            observed: 0,
            candidate: 1,
        })
    }

    /// Takes one item's losses, nats per token, of the served and of the new checkpoint; items must be in random order.
    ///
    /// A loss that is not a number counts as the worst for whoever has it.
    pub fn observe(&mut self, served: f32, new: f32) {
        let difference = match (served.is_finite(), new.is_finite()) {
            (true, true) => {
                ((f64::from(served) - f64::from(new)) / self.settings.scale).clamp(-1.0, 1.0)
            }
            (false, true) => 1.0,
            _ => -1.0,
        };
        let epsilon = self.settings.epsilon;
        for (wealth, stake) in self.wealth.iter_mut().zip(STAKES) {
            *wealth *= 1.0 + stake * (difference - epsilon) / (1.0 + epsilon);
        }
        self.observed += 1;
    }

    /// The e-value: the average wealth.
    pub fn e_value(&self) -> f64 {
        self.wealth.iter().sum::<f64>() / STAKES.len() as f64
    }

    /// The e-value that opens the gate: the k-th candidate may spend (6 / pi^2 k^2) of alpha, so all of them spend alpha.
    pub fn threshold(&self) -> f64 {
        let k = f64::from(self.candidate);
        std::f64::consts::PI.powi(2) * k * k / (6.0 * self.settings.alpha)
    }

    /// Whether the candidate may be published.
    pub fn open(&self) -> bool {
        self.e_value() >= self.threshold()
    }

    /// Items seen for this candidate.
    pub fn observed(&self) -> u64 {
        self.observed
    }

    /// The candidate's one-based number.
    pub fn candidate(&self) -> u32 {
        self.candidate
    }

    /// What it has seen so far.
    pub(crate) fn evidence(&self) -> Evidence {
        Evidence {
            wealth: self.wealth.map(f64::to_bits),
            observed: self.observed,
            candidate: self.candidate,
        }
    }

    /// Goes on with what was seen before.
    pub(crate) fn resume(&mut self, evidence: &Evidence) {
        self.wealth = evidence.wealth.map(f64::from_bits);
        self.observed = evidence.observed;
        self.candidate = evidence.candidate.max(1);
    }

    /// Puts the gate in front of the next candidate, whose evidence starts at one.
    pub fn next(&mut self) {
        self.wealth = [1.0; STAKES.len()];
        self.observed = 0;
        self.candidate += 1;
    }

    /// After a publication the next checkpoint is measured against a new one: a new life, with its own alpha.
    pub fn reset(&mut self) {
        self.next();
        self.candidate = 1;
    }
}

#[cfg(test)]
mod tests;
