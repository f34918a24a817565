//! Decide who is better with how much certainty: anytime-valid evidence on paired differences.
//!
//! The evidence that a later checkpoint beats an earlier one by more than a margin eps is
//! W = mean over lambda of the product over prompts of ( 1 + lambda (d - eps) / (1 + eps) ), with d in [-1, 1] the
//! difference of the two qualities on one prompt. It may be looked at after every prompt. Prompts must come in random
//! order: families in blocks break the guarantee.

mod crown;

use athanor_spec::params::AllocationParams;
use codec::{Decode, Encode};

pub use crown::{Contender, Crown, DecodeCrownError, Presence};

use crate::evidence::log_sum_exp;

/// Bets of the mixture, as shares of the largest bet that can never go bankrupt.
const BETS: [f64; 7] = [0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8];

/// Evidence that one checkpoint beats another by more than a margin.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct EProcess {
    logs: [f64; BETS.len()],
    prompts: u64,
}

impl EProcess {
    /// Takes the difference of quality (challenger minus incumbent) on one prompt, held to [-1, 1], against the margin
    /// `eps` of that moment. A margin that shrinks over time keeps the guarantee for the margin it ends at.
    pub fn observe(&mut self, difference: f64, eps: f64) {
        if difference.is_nan() {
            return;
        }
        let eps = eps.max(0.0);
        let gain = (difference.clamp(-1.0, 1.0) - eps) / (1.0 + eps);
        for (log, bet) in self.logs.iter_mut().zip(BETS) {
            *log += (bet * gain).ln_1p();
        }
        self.prompts = self.prompts.saturating_add(1);
    }

    /// Takes the evidence of another one, on other prompts.
    fn join(&mut self, other: &Self) {
        for (log, others) in self.logs.iter_mut().zip(other.logs) {
            *log += others;
        }
        self.prompts = self.prompts.saturating_add(other.prompts);
    }

    /// ln W; 0 before the first prompt.
    pub fn log_e_value(&self) -> f64 {
        log_sum_exp(&self.logs) - (BETS.len() as f64).ln()
    }

    /// A bound of [`Self::log_e_value`] that costs no logarithm: a mean is at most its largest part.
    fn log_bound(&self) -> f64 {
        self.logs.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Prompts observed.
    pub fn prompts(&self) -> u64 {
        self.prompts
    }

    fn is_bounded(&self) -> bool {
        self.logs.iter().all(|log| log.is_finite())
    }
}

/// The value that W must reach for the `attempt`-th commitment (from 1) of a registration: 1 / alpha_k with
/// alpha_k = (alpha / M) 6 / (pi^2 k^2). Independent of how many others challenge, else sybils could raise it.
pub fn threshold(attempt: u32, params: &AllocationParams) -> f64 {
    let k = f64::from(attempt.max(1));
    let share = 6.0 / (std::f64::consts::PI * k).powi(2);
    f64::from(params.crown_slots) / (params.crown_alpha * share)
}

/// The margin eps, in units of quality, against an incumbent that is `age_epochs` old: it halves every
/// [`AllocationParams::margin_half_life_epochs`], so that small real gains are paid in time.
pub fn margin(age_epochs: f64, params: &AllocationParams) -> f64 {
    params.crown_margin * (-age_epochs.max(0.0) / params.margin_half_life_epochs).exp2()
}

#[cfg(test)]
mod tests;
