//! What daemons report about themselves and each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use athanor_chain::Neuron;
use athanor_spec::{
    BlockNumber, Hotkey, Round,
    telemetry::{Event, FaultSummary},
};

use super::{
    AlarmRecord, Axes, CommitRecord, Due, Graded, Learnt, LiveRound, Miner, Resemblance, Validator,
    VoteRecord, log::printable, rounds::Step,
};

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
    /// Miners whose latest grade by some validator is a fault.
    pub accused: BTreeSet<Hotkey>,
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
                shared,
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
                        shared,
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
                match known.is_accused() {
                    true => self.accused.insert(miner),
                    false => self.accused.remove(&miner),
                };
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
        let accused = self.miners.iter().filter(|(_, miner)| miner.is_accused());
        self.accused = accused.map(|(hotkey, _)| *hotkey).collect();
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

fn entry<T: Default>(known: &mut BTreeMap<Hotkey, T>, hotkey: Hotkey) -> Option<&mut T> {
    if known.len() >= MAX_HOTKEYS && !known.contains_key(&hotkey) {
        return None;
    }
    Some(known.entry(hotkey).or_default())
}
