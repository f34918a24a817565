//! Remember what a registration has shown: one record per (hotkey, registration block), never per UID.
//!
//! A record is a value: the validator applies outcomes to it and stores its bytes in the same transaction, so a crash
//! neither zeroes nor doubles anything. Applying the same ask twice changes nothing.

use athanor_spec::{
    Digest, Epoch, Round, SubnetSpec,
    params::{AuditParams, GradeParams, ServiceParams},
    telemetry::{FaultSummary, GradeSummary},
};
use codec::{Decode, Encode};

use crate::{
    evidence::HotkeyEvidence,
    fidelity::FidelitySums,
    goodput::Goodput,
    grade::{self, Axes},
};

mod encoding;
mod fault;
mod measured;
mod tally;

pub use encoding::DecodeRecordError;
pub use fault::{Fault, FaultKind};
pub use measured::{Estimate, Measured};
pub use tally::Tally;

/// Asks of one round that a record tells apart.
const MAX_ASKS_PER_ROUND: u32 = 4096;

/// Largest sum of nats, and largest e-value, that one ask can have: far above any, and no sum of many overflows.
const MAX_OF_ASK: f64 = 1e12;

/// Names an ask within a registration's lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AskId {
    /// The validator's round.
    pub round: Round,
    /// Position among the miner's asks of the round, below 4096.
    pub index: u32,
}

/// What came of one ask. An ask that failed by the validator's own trouble has no outcome: do not apply any.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
pub enum AskOutcome {
    /// Answered, and replayed on student and teacher.
    #[codec(index = 0)]
    Answered {
        /// Normalised e-value of the audit; `None` for greedy asks, which carry no seed evidence.
        e_value: Option<f64>,
        /// Divergence from the teacher on this answer.
        fidelity: FidelitySums,
        /// Credit in [0, 1] on a checkable item; `None` for continuations of text.
        credit: Option<f64>,
        /// Liveliness in [0, 1].
        liveliness: f64,
        /// Worth of its time in [0, 1].
        service: f64,
        /// How fast it came, and under which load.
        pace: Pace,
    },
    /// Refused, late, cut, malformed or unsigned: it grades 0.
    #[codec(index = 1)]
    Failed {
        /// Charge for the missing answer (see [`FidelitySums::of_missing`]).
        fidelity: FidelitySums,
        /// Whether the item was checkable, so that its credit is lost.
        checkable: bool,
        /// Which load probe of the round it belonged to.
        load: Option<u32>,
    },
    /// Not drawn for opening ([`athanor_spec::params::RoundParams::opening_share`]): its time counts, and nothing else. What
    /// it says may be anybody's words, so no grade rests on them.
    #[codec(index = 2)]
    Unopened {
        /// Worth of its time in [0, 1]; `None` if no usable answer came.
        service: Option<f64>,
        /// How fast it came, and under which load.
        pace: Pace,
    },
}

/// How fast an answer came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Pace {
    /// Tokens of the answer.
    pub tokens: u32,
    /// From the first byte of the ask to the last byte of the answer, in milliseconds, less what the validator was busy.
    pub elapsed_ms: u32,
    /// What else the miner was asked at the same time.
    pub load: Load,
}

/// Whether an ask belonged to a load probe, and to which of the round's. In bytes the first two are what an `Option<u32>`
/// was before there was the third.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum Load {
    /// An ask by itself.
    #[default]
    #[codec(index = 0)]
    Alone,
    /// In a probe at whose common moment no tokens were counted: it loads a random half of all miners, or is of a time before
    /// there was such a moment.
    #[codec(index = 1)]
    Probe {
        /// Number of the probe in the round.
        probe: u32,
    },
    /// In the probe that loads all miners.
    #[codec(index = 2)]
    Counted {
        /// Number of the probe in the round.
        probe: u32,
        /// Tokens of the answer that were there by the probe's common moment ([`crate::goodput::window_ms`]).
        arrived: u32,
    },
}

impl Load {
    /// The probe's number; `None` for an ask by itself.
    pub fn probe(self) -> Option<u32> {
        match self {
            Self::Alone => None,
            Self::Probe { probe } | Self::Counted { probe, .. } => Some(probe),
        }
    }

    /// Tokens that were there by the probe's common moment, where they were counted.
    pub fn arrived(self) -> Option<u32> {
        match self {
            Self::Alone | Self::Probe { .. } => None,
            Self::Counted { arrived, .. } => Some(arrived),
        }
    }
}

impl Pace {
    /// No more tokens can have been there by any moment than the answer has.
    fn is_bounded(&self) -> bool {
        self.load
            .arrived()
            .is_none_or(|arrived| arrived <= self.tokens)
    }
}

impl AskOutcome {
    /// Whether every number in it is one that a replay can give.
    pub(crate) fn is_bounded(&self) -> bool {
        let unit = |value: f64| (0.0..=1.0).contains(&value);
        match self {
            Self::Answered {
                e_value,
                fidelity,
                credit,
                liveliness,
                service,
                pace,
            } => {
                pace.is_bounded()
                    && e_value.is_none_or(|e| (0.0..=MAX_OF_ASK).contains(&e))
                    && fidelity.is_within(MAX_OF_ASK)
                    && credit.is_none_or(unit)
                    && unit(*liveliness)
                    && unit(*service)
            }
            Self::Failed { fidelity, .. } => fidelity.is_within(MAX_OF_ASK),
            Self::Unopened { service, pace } => service.is_none_or(unit) && pace.is_bounded(),
        }
    }

    /// Whether a usable answer came.
    pub fn is_answered(&self) -> bool {
        match self {
            Self::Answered { .. } => true,
            Self::Failed { .. } => false,
            Self::Unopened { service, .. } => service.is_some(),
        }
    }

    /// The load probe that the ask belonged to.
    pub fn load(&self) -> Option<u32> {
        match self {
            Self::Answered { pace, .. } | Self::Unopened { pace, .. } => pace.load.probe(),
            Self::Failed { load, .. } => *load,
        }
    }

    /// Quality in [0, 1] of what the checkpoint said to this one prompt, for paired comparisons of checkpoints: fidelity,
    /// on the rollout and on the teacher's continuation, and credit, capped by liveliness. How fast it was said is a
    /// matter of the hotkey and not of the checkpoint. A missing answer is worth 0; of one that was not opened nothing is
    /// known.
    pub fn quality(&self, params: &GradeParams) -> Option<f64> {
        match self {
            Self::Answered {
                fidelity,
                credit,
                liveliness,
                ..
            } => {
                let axes = Axes {
                    fidelity: fidelity.fidelity(params),
                    correctness: *credit,
                    service: None,
                };
                Some(grade::ask_quality(&axes, *liveliness, params))
            }
            Self::Failed { .. } => Some(0.0),
            Self::Unopened { .. } => None,
        }
    }
}

/// Whether an outcome counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It did.
    Counted,
    /// This ask was applied before, for instance before a crash.
    Duplicate,
    /// Its round is over, or its index is beyond what a round may hold.
    Stale,
}

/// Evidence about one registration, decayed by epochs except for the audit's, which is for life.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Record {
    epoch: Epoch,
    round: Round,
    seen: Vec<u64>,
    checkpoint: Option<Digest>,
    asked: f64,
    answered: f64,
    /// Of those asked, the ones that were opened.
    opened: f64,
    opened_squared: f64,
    fidelity: FidelitySums,
    correctness: Mean,
    liveliness: Mean,
    service: Mean,
    goodput: Goodput,
    /// Checkpoints that the registration has committed to.
    attempts: u32,
    evidence: HotkeyEvidence,
    fault: Option<Fault>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Encode, Decode)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += if value.is_nan() {
            0.0
        } else {
            value.clamp(0.0, 1.0)
        };
        self.weight += 1.0;
    }

    fn merge(&mut self, other: Self) {
        self.sum += other.sum;
        self.weight += other.weight;
    }

    fn scale(&mut self, factor: f64) {
        self.sum *= factor;
        self.weight *= factor;
    }

    fn value(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }

    fn is_bounded(&self) -> bool {
        self.sum.is_finite() && self.weight.is_finite() && self.sum >= 0.0 && self.weight >= 0.0
    }
}

impl Record {
    /// An empty record of a registration first seen in `epoch`.
    pub fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            ..Self::default()
        }
    }

    /// Counts one outcome. Asks of a round may come in any order, each counts once; a newer round closes older ones.
    pub fn apply(&mut self, ask: AskId, outcome: &AskOutcome, params: &AuditParams) -> Applied {
        match self.note(ask) {
            Applied::Counted => {}
            refused => return refused,
        }
        self.take(&Tally::of(outcome));
        if let AskOutcome::Answered {
            e_value: Some(e_value),
            ..
        } = outcome
        {
            self.evidence.observe(params, *e_value);
        }
        Applied::Counted
    }

    /// Adds what came of asks that are not told apart. What the audit says of them comes through [`Self::observe`] or
    /// [`Self::observe_all`].
    pub fn take(&mut self, tally: &Tally) {
        self.asked += tally.asked;
        self.answered += tally.answered;
        self.opened += tally.opened;
        self.opened_squared += tally.opened;
        self.fidelity.merge(&tally.fidelity);
        self.correctness.merge(tally.correctness);
        self.liveliness.merge(tally.liveliness);
        self.service.merge(tally.service);
        self.goodput.alone_sum(tally.alone.sum, tally.alone.weight);
    }

    /// Takes the audit's evidence of many requests: e-values, and how many requests had each.
    pub fn observe_all(&mut self, e_values: &[(f64, f64)], params: &AuditParams) {
        self.evidence.observe_all(params, e_values);
    }

    /// Takes evidence of the audit alone, from an exchange that no grade may rest on.
    pub fn observe(&mut self, e_value: f64, params: &AuditParams) {
        self.evidence.observe(params, e_value);
    }

    /// Fades what was counted before `epoch`: by half per [`GradeParams::half_life_epochs`]. An earlier epoch than the
    /// record's changes nothing. The audit's evidence does not fade.
    pub fn decay_to(&mut self, epoch: Epoch, params: &GradeParams) {
        let elapsed = epoch.0.saturating_sub(self.epoch.0);
        if elapsed == 0 {
            return;
        }
        self.epoch = epoch;
        let factor = (-(elapsed as f64) / params.half_life_epochs).exp2();
        self.asked *= factor;
        self.answered *= factor;
        self.opened *= factor;
        self.opened_squared *= factor * factor;
        self.fidelity.decay(factor);
        self.correctness.scale(factor);
        self.liveliness.scale(factor);
        self.service.scale(factor);
        self.goodput.decay(factor);
    }

    /// Counts what a load probe measured: tokens per second within the objective, over all of its streams.
    pub fn load_probe(&mut self, tokens_per_second: f64) {
        self.goodput.loaded(tokens_per_second);
    }

    /// Goodput in references of the spec: under load as far as it was measured so, else that of single asks, which is a
    /// lower bound. 0 where nothing was measured.
    pub fn goodput(&self, params: &ServiceParams) -> f64 {
        self.goodput.tokens_per_second() / params.goodput_tokens_per_second
    }

    /// Names the checkpoint that the hotkey now commits to and serves; another one than before is another attempt.
    pub fn set_checkpoint(&mut self, checkpoint: Option<Digest>) {
        if checkpoint.is_some() && checkpoint != self.checkpoint {
            self.attempts = self.attempts.saturating_add(1);
        }
        self.checkpoint = checkpoint;
    }

    /// The checkpoint that it committed to in the last round of it.
    pub fn checkpoint(&self) -> Option<Digest> {
        self.checkpoint
    }

    /// Checkpoints that the registration has committed to, as far as this ledger saw: the k of its crown's threshold.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Sets or lifts an accusation other than the audit's own, which stands for life once the evidence condemns.
    pub fn set_fault(&mut self, fault: Option<Fault>) {
        self.fault = fault.map(Fault::bounded);
    }

    /// The audit's evidence.
    pub fn evidence(&self) -> &HotkeyEvidence {
        &self.evidence
    }

    /// What the registration is accused of, the audit's verdict first.
    pub fn fault(&self, params: &AuditParams) -> Option<Fault> {
        if self.evidence.condemned(params) {
            let evidence = format!(
                "e-process at {:.3e} after {} audited requests, condemned at {:.0e}",
                self.evidence.e_value(params),
                self.evidence.requests(),
                1.0 / params.alpha,
            );
            return Some(Fault {
                kind: FaultKind::WrongCheckpoint,
                evidence,
            });
        }
        self.fault.clone()
    }

    /// The three axes as measured so far.
    pub fn axes(&self, params: &GradeParams) -> Axes {
        let service = self.service.value().unwrap_or(0.0);
        let available = grade::availability_low(self.answered, self.asked);
        Axes {
            fidelity: self.fidelity.fidelity(params),
            correctness: self.correctness.value(),
            service: (self.asked > 0.0).then_some(service * available),
        }
    }

    /// Number of equally weighted opened asks that would be as informative as the decayed ones. Asks that were not opened
    /// say nothing about quality, and do not count.
    pub fn effective_asks(&self) -> f64 {
        if self.opened_squared > 0.0 {
            self.opened * self.opened / self.opened_squared
        } else {
            0.0
        }
    }

    /// The verdict. `quality_low` is Q - z s_pool / sqrt(n_eff), not below 0, with n_eff capped alike for all: this is
    /// what is paid, and only where there is no fault.
    pub fn summary(&self, spec: &SubnetSpec) -> GradeSummary {
        let axes = self.axes(&spec.grade);
        let liveliness = self.liveliness.value().unwrap_or(0.0);
        let quality = grade::quality(&axes, liveliness, &spec.grade);
        let allocation = &spec.allocation;
        let effective = self.effective_asks().min(allocation.max_effective_asks);
        let low = if effective > 0.0 {
            quality - allocation.confidence_z * allocation.pool_sd / effective.sqrt()
        } else {
            0.0
        };
        GradeSummary {
            checkpoint: self.checkpoint,
            fidelity: axes.fidelity.unwrap_or(0.0),
            correctness: axes.correctness.unwrap_or(0.0),
            service: axes.service.unwrap_or(0.0),
            liveliness,
            quality,
            quality_low: low.max(0.0),
            answered: if self.asked > 0.0 {
                self.answered / self.asked
            } else {
                0.0
            },
            fault: self.fault(&spec.audit).map(FaultSummary::from),
        }
    }

    fn note(&mut self, ask: AskId) -> Applied {
        if ask.index >= MAX_ASKS_PER_ROUND || ask.round < self.round {
            return Applied::Stale;
        }
        if ask.round != self.round {
            self.round = ask.round;
            self.seen.clear();
        }
        let (word, bit) = ((ask.index / 64) as usize, 1_u64 << (ask.index % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit != 0 {
            return Applied::Duplicate;
        }
        self.seen[word] |= bit;
        Applied::Counted
    }
}

#[cfg(test)]
mod tests;
