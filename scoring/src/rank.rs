//! Decide who is better with how much certainty: anytime-valid evidence on paired differences.
//!
//! The evidence that a later checkpoint beats an earlier one by more than a margin eps is
//! W = mean over lambda of the product over prompts of ( 1 + lambda (d - eps) / (1 + eps) ), with d in [-1, 1] the
//! difference of the two qualities on one prompt. It may be looked at after every prompt. Prompts must come in random
//! order: families in blocks break the guarantee.

use std::collections::BTreeMap;

use athanor_spec::{Digest, params::AllocationParams};
use codec::{Decode, Encode};

use crate::evidence::log_sum_exp;

/// Bets of the mixture, as shares of the largest bet that can never go bankrupt.
const BETS: [f64; 7] = [0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8];
/// Duels remembered at most; beyond, the weakest against a former holder is forgotten.
const MAX_DUELS: usize = 1024;

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

    /// ln W; 0 before the first prompt.
    pub fn log_e_value(&self) -> f64 {
        log_sum_exp(&self.logs) - (BETS.len() as f64).ln()
    }

    /// Prompts observed.
    pub fn prompts(&self) -> u64 {
        self.prompts
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

/// Who holds the crown, and the duels for it. Keyed by classes of artifacts, so a duel is never reset by a restart, a
/// new registration or a copy.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Crown {
    holder: Option<Digest>,
    duels: BTreeMap<Pair, Duel>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
struct Pair {
    challenger: Digest,
    incumbent: Digest,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Duel {
    attempt: u32,
    process: EProcess,
}

impl Crown {
    /// The class that holds the crown.
    pub fn holder(&self) -> Option<Digest> {
        self.holder
    }

    /// Gives a vacant crown to a class (the one of earliest priority); a held one stays.
    pub fn claim(&mut self, class: Digest) {
        self.holder.get_or_insert(class);
    }

    /// Takes the crown from a holder that is gone or faulty.
    pub fn vacate(&mut self) {
        self.holder = None;
    }

    /// Takes the paired difference of `challenger` minus the holder on one prompt. `attempt` counts the commitments of
    /// the challenger's registration from 1, and is fixed by the first prompt of a duel.
    pub fn observe(&mut self, challenger: Digest, attempt: u32, difference: f64, eps: f64) {
        let Some(incumbent) = self.holder.filter(|holder| *holder != challenger) else {
            return;
        };
        let pair = Pair {
            challenger,
            incumbent,
        };
        if !self.duels.contains_key(&pair)
            && self.duels.len() >= MAX_DUELS
            && !self.forget_one(incumbent)
        {
            return;
        }
        let fresh = || Duel {
            attempt,
            process: EProcess::default(),
        };
        self.duels
            .entry(pair)
            .or_insert_with(fresh)
            .process
            .observe(difference, eps);
    }

    /// Crowns the challenger that is furthest above its threshold, if any is; returns it.
    pub fn settle(&mut self, params: &AllocationParams) -> Option<Digest> {
        let holder = self.holder?;
        let (lead, winner) = self
            .duels
            .iter()
            .filter(|(pair, _)| pair.incumbent == holder)
            .map(|(pair, duel)| {
                let lead = duel.process.log_e_value() - threshold(duel.attempt, params).ln();
                (lead, pair.challenger)
            })
            .max_by(|left, right| left.0.total_cmp(&right.0))?;
        if lead < 0.0 {
            return None;
        }
        self.holder = Some(winner);
        Some(winner)
    }

    /// ln W of a challenger against the present holder; 0 where they never met.
    pub fn log_e_value(&self, challenger: Digest) -> f64 {
        self.holder
            .and_then(|incumbent| {
                self.duels.get(&Pair {
                    challenger,
                    incumbent,
                })
            })
            .map_or(0.0, |duel| duel.process.log_e_value())
    }

    fn forget_one(&mut self, holder: Digest) -> bool {
        let weakest = self
            .duels
            .iter()
            .filter(|(pair, _)| pair.incumbent != holder)
            .min_by(|l, r| {
                l.1.process
                    .log_e_value()
                    .total_cmp(&r.1.process.log_e_value())
            })
            .map(|(pair, _)| *pair);
        weakest.is_some_and(|pair| self.duels.remove(&pair).is_some())
    }
}

#[cfg(test)]
mod tests;
