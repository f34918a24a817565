//! What daemons report about themselves and each other.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use athanor_chain::Neuron;
use athanor_spec::{
    BlockNumber, Digest, Epoch, Hotkey, Round,
    telemetry::{CollusionSummary, Event, FaultSummary, GradeSummary, HeldOut, RecordSummary},
};

use super::{Latency, LiveRound, Series, log::printable, rounds::Step};

/// Hotkeys remembered at most per role; a subnet has at most 4,096 slots, the rest is noise or malice.
pub(super) const MAX_HOTKEYS: usize = 4096;
/// Validators whose grades are kept per miner; the chain allows no more validators than this in a subnet.
const MAX_GRADERS: usize = 128;
/// Pairs of models that were found too near to each other, and alarms, remembered at most.
const MAX_FINDINGS: usize = 1024;
/// Pairs kept of what a validator's tests say.
const MAX_PAIRS: usize = 64;
/// Swaps remembered per miner.
const MAX_SWAPS: usize = 24;

/// The hotkeys that telemetry was heard from or about.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    /// Miners by hotkey.
    pub miners: BTreeMap<Hotkey, Miner>,
    /// Validators by hotkey.
    pub validators: BTreeMap<Hotkey, Validator>,
    /// Models that are nearer than independent students come, by later and earlier miner.
    pub resemblances: BTreeMap<(Hotkey, Hotkey), Resemblance>,
    /// Alarms that are raised, by validator and name.
    pub alarms: BTreeMap<(Hotkey, String), AlarmRecord>,
}

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

impl Peers {
    /// Takes in an event. Hotkeys beyond the cap are ignored until others are deregistered. `leads` says whether a
    /// validator is the one whose grades are followed over time.
    pub(super) fn take(&mut self, event: Event, now: Duration, leads: impl Fn(&Hotkey) -> bool) {
        match event {
            Event::RoundStarted {
                validator,
                round,
                block,
                asks,
            } => {
                if let Some(known) = entry(&mut self.validators, validator) {
                    known.round = Some(LiveRound::new(round, block, asks, now));
                }
            }
            Event::Asked {
                validator,
                miner,
                round,
                index,
            } => self.step(validator, miner, Some(round), Some(index), Step::Asked, now),
            Event::Answered {
                validator,
                miner,
                round,
                index,
                first_token_ms,
                elapsed_ms,
                ..
            } => {
                self.step(
                    validator,
                    miner,
                    Some(round),
                    Some(index),
                    Step::Answered,
                    now,
                );
                if let Some(known) = entry(&mut self.miners, miner) {
                    known.first_token.add(first_token_ms);
                    known.whole_answer.add(elapsed_ms);
                }
            }
            Event::Opened {
                validator,
                miner,
                round,
                index,
                tokens,
                strays,
            } => {
                let step = Step::Opened { tokens, strays };
                self.step(validator, miner, Some(round), Some(index), step, now);
            }
            Event::AskVoid {
                validator,
                miner,
                round,
                index,
                ..
            } => self.step(validator, miner, Some(round), Some(index), Step::Void, now),
            Event::Measured {
                validator,
                miner,
                record,
                ..
            } => {
                let lead = leads(&validator);
                let Some(known) = entry(&mut self.miners, miner) else {
                    return;
                };
                if known.records.len() < MAX_GRADERS || known.records.contains_key(&validator) {
                    known.records.insert(validator, record);
                }
                if lead {
                    known.axes.evidence.push(record.e_value.max(1e-300).log10());
                }
            }
            Event::Resembles {
                validator,
                miner,
                earlier,
                verdict,
                behaviour,
                weights,
                p_bound,
                p_smallest,
                ..
            } => {
                let pair = (miner, earlier);
                if self.resemblances.len() < MAX_FINDINGS || self.resemblances.contains_key(&pair) {
                    let found = Resemblance {
                        by: validator,
                        verdict: printable(&verdict),
                        behaviour,
                        weights,
                        p_bound,
                        p_smallest,
                    };
                    self.resemblances.insert(pair, found);
                }
            }
            Event::Alarm {
                validator,
                name,
                severity,
                text,
                raised,
            } => {
                let key = (validator, printable(&name));
                if !raised {
                    self.alarms.remove(&key);
                } else if self.alarms.len() < MAX_FINDINGS || self.alarms.contains_key(&key) {
                    let since = self.alarms.get(&key).map_or(now, |known| known.since);
                    let alarm = AlarmRecord {
                        severity: printable(&severity),
                        text: printable(&text),
                        since,
                    };
                    self.alarms.insert(key, alarm);
                }
            }
            Event::Learnt {
                validator,
                miners,
                known,
                miners_needed,
                sets_weights,
                ..
            } => {
                if let Some(entry) = entry(&mut self.validators, validator) {
                    entry.learnt = Some(Learnt {
                        miners,
                        known,
                        needed: miners_needed,
                        sets_weights,
                    });
                }
            }
            Event::WeightsDue {
                validator,
                block,
                epoch,
                reveal,
                activity_cutoff,
            } => {
                if let Some(known) = entry(&mut self.validators, validator) {
                    known.due = Some(Due {
                        block,
                        epoch,
                        reveal,
                        activity_cutoff,
                    });
                }
            }
            Event::WeightsRevealed {
                validator, weights, ..
            } => {
                if let Some(commit) =
                    entry(&mut self.validators, validator).and_then(|known| known.commit.as_mut())
                {
                    commit.revealed = Some(weights.is_some());
                }
            }
            Event::WeightsSet {
                validator,
                epoch,
                block,
                ..
            } => {
                if let Some(known) = entry(&mut self.validators, validator) {
                    known.vote = Some(VoteRecord { epoch, block });
                }
            }
            Event::WeightsCommitted {
                validator,
                epoch,
                block,
                reveal_block,
            } => {
                if let Some(known) = entry(&mut self.validators, validator) {
                    known.commit = Some(CommitRecord {
                        block,
                        reveal_block,
                        revealed: None,
                    });
                    known.vote = Some(VoteRecord { epoch, block });
                }
            }
            Event::Collusion {
                validator,
                mut seen,
                ..
            } => {
                seen.shared_machines.truncate(MAX_PAIRS);
                seen.coupled_latency.truncate(MAX_PAIRS);
                seen.copying.truncate(MAX_GRADERS);
                if let Some(cabal) = &mut seen.cabal {
                    cabal.validators.truncate(MAX_GRADERS);
                    cabal.miners.truncate(MAX_PAIRS);
                }
                if let Some(known) = entry(&mut self.validators, validator) {
                    known.collusion = Some(seen);
                }
            }
            Event::AskFailed {
                validator,
                miner,
                reason,
            } => {
                if let Some(known) = entry(&mut self.validators, validator) {
                    known.failures += 1;
                }
                self.step(validator, miner, None, None, Step::Failed, now);
                self.failed(miner, reason);
            }
            Event::RequestFailed { miner, reason } => self.failed(miner, reason),
            Event::Graded {
                validator,
                miner,
                round,
                mut grade,
                ..
            } => {
                let lead = leads(&validator);
                let Some(known) = entry(&mut self.miners, miner) else {
                    return;
                };
                if lead {
                    known.axes.push(&grade);
                }
                if known.grades.len() < MAX_GRADERS || known.grades.contains_key(&validator) {
                    grade.fault = grade.fault.map(|fault| FaultSummary {
                        kind: printable(&fault.kind),
                        evidence: printable(&fault.evidence),
                    });
                    known.grades.insert(
                        validator,
                        Graded {
                            round,
                            summary: grade,
                        },
                    );
                }
            }
            Event::Distilled {
                miner,
                step,
                loss,
                heldout,
            } => {
                let Some(known) = entry(&mut self.miners, miner) else {
                    return;
                };
                known.step = step;
                known.losses.push(loss);
                if let Some(measured) = heldout {
                    known.heldout.push(measured.loss);
                    known.last_heldout = Some(measured);
                }
            }
            Event::Swapped { miner, from, to } => {
                let Some(known) = entry(&mut self.miners, miner) else {
                    return;
                };
                known.serving = Some(to);
                known.swaps += 1;
                if known.swapped.len() == MAX_SWAPS {
                    known.swapped.pop_front();
                }
                known.swapped.push_back((from, to, now));
            }
        }
    }

    /// Forgets hotkeys that left the subnet between two snapshots, and grades of an earlier registration.
    pub(super) fn retain_registered(&mut self, before: &[Neuron], after: &[Neuron]) {
        let blocks = |neurons: &[Neuron]| -> BTreeMap<Hotkey, BlockNumber> {
            neurons
                .iter()
                .map(|neuron| (neuron.hotkey, neuron.registered_at))
                .collect()
        };
        let (before, after) = (blocks(before), blocks(after));
        self.validators
            .retain(|hotkey, _| after.contains_key(hotkey));
        self.miners.retain(|hotkey, miner| {
            let Some(block) = after.get(hotkey) else {
                return false;
            };
            if before.get(hotkey).is_some_and(|known| known != block) {
                miner.grades.clear();
                miner.records.clear();
                miner.axes = Axes::default();
            }
            miner
                .grades
                .retain(|validator, _| after.contains_key(validator));
            miner
                .records
                .retain(|validator, _| after.contains_key(validator));
            true
        });
        self.resemblances
            .retain(|(later, earlier), _| after.contains_key(later) && after.contains_key(earlier));
        self.alarms
            .retain(|(validator, _), _| after.contains_key(validator));
    }

    /// A step of a round that was not heard of begins it: whoever comes late sees it from then on.
    fn step(
        &mut self,
        validator: Hotkey,
        miner: Hotkey,
        round: Option<Round>,
        index: Option<u32>,
        step: Step,
        now: Duration,
    ) {
        let Some(known) = entry(&mut self.validators, validator) else {
            return;
        };
        let running = known.round.as_ref().map(|live| live.round);
        match (round, running) {
            (Some(round), None) => {
                known.round = Some(LiveRound::new(round, BlockNumber(0), 0, now))
            }
            // What is late belongs to a round that is over.
            (Some(round), Some(running)) if round < running => return,
            (Some(round), Some(running)) if round > running => {
                known.round = Some(LiveRound::new(round, BlockNumber(0), 0, now));
            }
            _ => {}
        }
        if let Some(live) = &mut known.round {
            live.step(miner, index, step, now);
        }
    }

    fn failed(&mut self, miner: Hotkey, reason: String) {
        if let Some(known) = entry(&mut self.miners, miner) {
            known.failures += 1;
            known.last_failure = Some(printable(&reason));
        }
    }
}

impl Axes {
    fn push(&mut self, grade: &GradeSummary) {
        self.fidelity.push(grade.fidelity);
        self.correctness.push(grade.correctness);
        self.service.push(grade.service);
        self.liveliness.push(grade.liveliness);
        self.quality.push(grade.quality);
        self.quality_low.push(grade.quality_low);
    }
}

fn entry<T: Default>(known: &mut BTreeMap<Hotkey, T>, hotkey: Hotkey) -> Option<&mut T> {
    if known.len() >= MAX_HOTKEYS && !known.contains_key(&hotkey) {
        return None;
    }
    Some(known.entry(hotkey).or_default())
}
