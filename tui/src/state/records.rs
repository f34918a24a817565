//! What is kept of each miner and validator beyond the chain.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use athanor_spec::{
    BlockNumber, Digest, Epoch, Hotkey, Round,
    telemetry::{CollusionSummary, GradeSummary, HeldOut, RecordSummary},
};

use super::{Latency, LiveRound, Series};

/// What a validator says of two models.
#[derive(Clone, Debug, PartialEq)]
pub struct Resemblance {
    /// The validator.
    pub by: Hotkey,
    /// Stable name: `similar` or `same_class`.
    pub verdict: String,
    /// Median absolute difference of log-probabilities, nats.
    pub behaviour: f64,
    /// Distance of the weights, in [0, 1].
    pub weights: Option<f64>,
    /// Share of what each has of its own that both have, in [-1, 1].
    pub shared: Option<f64>,
    /// Upper bound of the p-value, by the fitted tail.
    pub p_bound: Option<f64>,
    /// The smallest p-value that the null's sample can give.
    pub p_smallest: f64,
}

/// An alarm of a validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmRecord {
    /// `warn` or `page`.
    pub severity: String,
    /// What is wrong and what to do.
    pub text: String,
    /// When it was raised, since the start.
    pub since: Duration,
}

/// What is known of a miner beyond the chain.
#[derive(Clone, Debug, Default)]
pub struct Miner {
    /// The latest grade by each validator.
    pub grades: BTreeMap<Hotkey, Graded>,
    /// How sure each validator is.
    pub records: BTreeMap<Hotkey, RecordSummary>,
    /// The axes over time, by the validator with the most stake.
    pub axes: Axes,
    /// Time to the first token, by all validators.
    pub first_token: Latency,
    /// Time to the last byte of the answer.
    pub whole_answer: Latency,
    /// Checkpoints swapped in, oldest first: from, to, when.
    pub swapped: VecDeque<(Digest, Digest, Duration)>,
    /// Training loss, nats per token.
    pub losses: Series,
    /// Held-out loss, nats per token.
    pub heldout: Series,
    /// The latest measurement on held-out items.
    pub last_heldout: Option<HeldOut>,
    /// Optimiser steps so far.
    pub step: u64,
    /// The checkpoint that the miner says it serves.
    pub serving: Option<Digest>,
    /// Checkpoints swapped in since the start.
    pub swaps: u32,
    /// Requests refused or failed, by its own word or a validator's.
    pub failures: u64,
    /// The latest reason of those.
    pub last_failure: Option<String>,
}

/// A miner's axes, round by round.
#[derive(Clone, Debug, Default)]
pub struct Axes {
    /// Fidelity.
    pub fidelity: Series,
    /// Correctness.
    pub correctness: Series,
    /// Service.
    pub service: Series,
    /// Liveliness.
    pub liveliness: Series,
    /// Quality.
    pub quality: Series,
    /// Lower bound of the quality, which is paid.
    pub quality_low: Series,
    /// Decimal logarithm of the audit's e-value.
    pub evidence: Series,
}

/// One validator's grade of a miner.
#[derive(Clone, Debug)]
pub struct Graded {
    /// The round after which it was given.
    pub round: Round,
    /// The verdict.
    pub summary: GradeSummary,
}

/// What is known of a validator beyond the chain.
#[derive(Clone, Debug, Default)]
pub struct Validator {
    /// The round that it is in.
    pub round: Option<LiveRound>,
    /// What it knew at the end of the last round.
    pub learnt: Option<Learnt>,
    /// What its tests of many rounds say.
    pub collusion: Option<CollusionSummary>,
    /// What comes next for its weights.
    pub due: Option<Due>,
    /// Its last commit: the block of the extrinsic, the first block of the reveal, and what became of it.
    pub commit: Option<CommitRecord>,
    /// The weights that it set last.
    pub vote: Option<VoteRecord>,
    /// Asks without an answer.
    pub failures: u64,
}

/// Weights that a validator reports to have set.
#[derive(Clone, Debug)]
pub struct VoteRecord {
    /// The epoch that they count in.
    pub epoch: Epoch,
    /// The block that they were included in.
    pub block: BlockNumber,
}

/// What a validator knows of the miners.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learnt {
    /// Miners that it asks.
    pub miners: u32,
    /// Those of whom it knows enough.
    pub known: u32,
    /// Of how many it must.
    pub needed: u32,
    /// Whether it sets weights.
    pub sets_weights: bool,
}

/// Blocks until something happens to a validator's weights, counted from `block`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// From which block on.
    pub block: BlockNumber,
    /// Until the next epoch.
    pub epoch: u32,
    /// Until the reveal.
    pub reveal: Option<u32>,
    /// Until the last weights no longer count for their age.
    pub activity_cutoff: Option<u32>,
}

/// A commit of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitRecord {
    /// The block of the extrinsic.
    pub block: BlockNumber,
    /// The first block in which it can be revealed.
    pub reveal_block: BlockNumber,
    /// Whether it was revealed; `None` while it waits.
    pub revealed: Option<bool>,
}

impl Miner {
    /// Whether a validator's latest grade of it is a fault.
    pub fn is_accused(&self) -> bool {
        let mut grades = self.grades.values();
        grades.any(|graded| graded.summary.fault.is_some())
    }
}

impl Axes {
    pub(super) fn push(&mut self, grade: &GradeSummary) {
        self.fidelity.push(grade.fidelity);
        self.correctness.push(grade.correctness);
        self.service.push(grade.service);
        self.liveliness.push(grade.liveliness);
        self.quality.push(grade.quality);
        self.quality_low.push(grade.quality_low);
    }
}
