//! Measure how far a student's distribution is from the teacher's, per nat of teacher entropy.
//!
//! A per-token mean would reward loops, boilerplate and early stops, where the teacher is confident too. The charge is
//! therefore a ratio of sums over all asks: skewed reverse KL over teacher entropy, and stopping before the teacher did
//! is charged as the worst divergence on the entropy that the rest of the reference would have had.

mod softmax;

use athanor_spec::params::GradeParams;
use codec::{Decode, Encode};

use softmax::{LANES, Softmax};

/// One token's divergence and entropy, both in nats, from full-vocabulary logits at temperature 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TokenDivergence {
    /// KL( q || (1-s) p + s q ) with student q, teacher p and skew s; in [0, ln(1/s)].
    pub kl: f64,
    /// Entropy of the teacher's distribution.
    pub entropy: f64,
}

/// Compares the two rows of logits that predict one token.
///
/// A student whose logits are no numbers, or of another vocabulary, is charged the largest divergence.
pub fn divergence(
    student_logits: &[f32],
    teacher_logits: &[f32],
    params: &GradeParams,
) -> TokenDivergence {
    let skew = params.kl_skew;
    let worst = (1.0 / skew).ln();
    let teacher = Softmax::new(teacher_logits);
    let student = Softmax::new(student_logits);
    let (p, log_p) = (&teacher.probabilities, &teacher.logarithms);
    let (q, log_q) = (&student.probabilities, &student.logarithms);
    let mut entropies = [0.0; LANES];
    for (p, log_p) in p.iter().zip(log_p) {
        for i in 0..LANES {
            entropies[i] -= p[i] * log_p[i];
        }
    }
    let mut divergences = [0.0; LANES];
    for ((p, q), log_q) in p.iter().zip(q).zip(log_q) {
        let mut mixed = [0.0; LANES];
        for i in 0..LANES {
            mixed[i] = softmax::ln((1.0 - skew) * p[i] + skew * q[i]);
        }
        for i in 0..LANES {
            divergences[i] += q[i] * (log_q[i] - mixed[i]);
        }
    }
    let (kl, entropy) = (softmax::sum(divergences), softmax::sum(entropies));
    let comparable = kl.is_finite() && student_logits.len() == teacher_logits.len();
    TokenDivergence {
        kl: if comparable {
            kl.clamp(0.0, worst)
        } else {
            worst
        },
        entropy: if entropy.is_finite() {
            entropy.max(0.0)
        } else {
            0.0
        },
    }
}

/// The probability of `token` under a row of logits at temperature 1; 0 for a token outside the vocabulary.
pub fn probability(logits: &[f32], token: u32) -> f64 {
    let index = usize::try_from(token).ok();
    let index = index.filter(|index| *index < logits.len());
    let probability = index
        .and_then(|index| Softmax::new(logits).probability(index))
        .unwrap_or(0.0);
    if probability.is_finite() {
        probability.clamp(0.0, 1.0)
    } else {
        0.0
    }
}

/// The teacher's own continuation of a prompt under the same token limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reference {
    /// H_ref: its length in tokens.
    pub tokens: u32,
    /// h: the mean entropy of the teacher on it, in nats per token.
    pub entropy: f64,
}

impl Reference {
    /// The reference on which the teacher-forced divergences were measured.
    pub fn of(forced: &[TokenDivergence]) -> Self {
        let sum: f64 = forced.iter().map(|token| token.entropy).sum();
        Self {
            tokens: u32::try_from(forced.len()).unwrap_or(u32::MAX),
            entropy: if forced.is_empty() {
                0.0
            } else {
                sum / forced.len() as f64
            },
        }
    }
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    /// The student drew the end-of-sequence token, to which the teacher gave this probability at that place.
    Stopped {
        /// p_teacher(EOS at tau), in [0, 1].
        teacher_probability: f64,
    },
    /// The token limit was reached.
    Limit,
}

/// Sums of charge and base, from which the divergence of any set of asks follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Encode, Decode)]
pub struct FidelitySums {
    own: Ratio,
    forced: Ratio,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Encode, Decode)]
struct Ratio {
    charge: f64,
    base: f64,
}

impl FidelitySums {
    /// Nothing measured.
    pub const ZERO: Self = Self {
        own: Ratio::ZERO,
        forced: Ratio::ZERO,
    };

    /// One answer: `own` are the divergences on the miner's rollout (the end token included when it was drawn),
    /// `forced` those on the teacher's continuation, a prefix that the miner does not choose.
    pub fn of_answer(
        own: &[TokenDivergence],
        ending: Ending,
        forced: &[TokenDivergence],
        params: &GradeParams,
    ) -> Self {
        let surprise = match ending {
            Ending::Stopped {
                teacher_probability,
            } => 1.0 - teacher_probability.clamp(0.0, 1.0),
            Ending::Limit => 0.0,
        };
        let mut sums = Self {
            own: Ratio::of(own, params),
            forced: Ratio::of(forced, params),
        };
        let length = u32::try_from(own.len()).unwrap_or(u32::MAX);
        sums.own
            .charge_rest(surprise, length, Reference::of(forced), params);
        sums
    }

    /// An ask that got no usable answer, charged as a stop before the first token that the teacher gave no
    /// probability: otherwise aborting the hard asks would pay.
    pub fn of_missing(reference: Reference, params: &GradeParams) -> Self {
        let mut sums = Self::default();
        sums.own.charge_rest(1.0, 0, reference, params);
        sums
    }

    /// Sums that were measured elsewhere, in the order of [`Self::sums`].
    pub fn of_sums([own_charge, own_base, forced_charge, forced_base]: [f64; 4]) -> Self {
        Self {
            own: Ratio {
                charge: own_charge,
                base: own_base,
            },
            forced: Ratio {
                charge: forced_charge,
                base: forced_base,
            },
        }
    }

    /// Adds another set of asks.
    pub fn merge(&mut self, other: &Self) {
        self.own.merge(other.own);
        self.forced.merge(other.forced);
    }

    /// Weighs all asks so far by `factor`.
    pub fn decay(&mut self, factor: f64) {
        self.own.scale(factor);
        self.forced.scale(factor);
    }

    /// d_own: nats of divergence per nat of teacher entropy on the miner's rollouts; `None` without any.
    pub fn own_divergence(&self) -> Option<f64> {
        self.own.value()
    }

    /// d_forced: the same on the teacher's continuations.
    pub fn forced_divergence(&self) -> Option<f64> {
        self.forced.value()
    }

    /// min( exp(-d_own / d0), exp(-d_forced / d0) ) in [0, 1]; `None` where no rollout was measured.
    pub fn fidelity(&self, params: &GradeParams) -> Option<f64> {
        let own = self.own_divergence()?;
        let worst = self
            .forced_divergence()
            .map_or(own, |forced| own.max(forced));
        Some((-worst / params.fidelity_scale).exp())
    }

    /// The sums themselves, in nats: charge and base on the miner's rollouts, charge and base on the teacher's
    /// continuations.
    pub fn sums(&self) -> [f64; 4] {
        let (own, forced) = (self.own, self.forced);
        [own.charge, own.base, forced.charge, forced.base]
    }

    pub(crate) fn is_bounded(&self) -> bool {
        self.is_within(f64::MAX)
    }

    /// Whether no sum is below 0 or above `max`.
    pub(crate) fn is_within(&self, max: f64) -> bool {
        self.sums().iter().all(|sum| (0.0..=max).contains(sum))
    }
}

impl Ratio {
    const ZERO: Self = Self {
        charge: 0.0,
        base: 0.0,
    };

    fn of(tokens: &[TokenDivergence], params: &GradeParams) -> Self {
        Self {
            charge: tokens.iter().map(|token| token.kl).sum(),
            base: tokens
                .iter()
                .map(|token| token.entropy.max(params.entropy_floor))
                .sum(),
        }
    }

    /// S ln(1/s) max(0, H_ref - tau) h over S max(0, H_ref - tau) h.
    fn charge_rest(&mut self, surprise: f64, tau: u32, reference: Reference, params: &GradeParams) {
        let rest = surprise * f64::from(reference.tokens.saturating_sub(tau)) * reference.entropy;
        self.charge += rest * (1.0 / params.kl_skew).ln();
        self.base += rest;
    }

    fn merge(&mut self, other: Self) {
        self.charge += other.charge;
        self.base += other.base;
    }

    fn scale(&mut self, factor: f64) {
        self.charge *= factor;
        self.base *= factor;
    }

    fn value(&self) -> Option<f64> {
        (self.base > 0.0).then(|| self.charge / self.base)
    }
}

#[cfg(test)]
mod tests;
