//! What daemons report about themselves and each other.

use std::collections::BTreeMap;

use athanor_chain::Neuron;
use athanor_spec::{
    BlockNumber, Digest, Epoch, Hotkey, Round,
    telemetry::{Event, FaultSummary, GradeSummary, HeldOut},
};

use super::{Series, log::printable};

/// Hotkeys remembered at most per role; a subnet has at most 256 neurons, the rest is noise or malice.
const MAX_HOTKEYS: usize = 512;
/// Validators whose grades are kept per miner; the chain allows no more validators than this in a subnet.
const MAX_GRADERS: usize = 128;

/// The hotkeys that telemetry was heard from or about.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    /// Miners by hotkey.
    pub miners: BTreeMap<Hotkey, Miner>,
    /// Validators by hotkey.
    pub validators: BTreeMap<Hotkey, Validator>,
}

/// What is known of a miner beyond the chain.
#[derive(Clone, Debug, Default)]
pub struct Miner {
    /// The latest grade by each validator.
    pub grades: BTreeMap<Hotkey, Graded>,
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
    /// The round that it is in, and the asks planned for it.
    pub round: Option<(Round, u32)>,
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

impl Peers {
    /// Takes in an event. Hotkeys beyond the cap are ignored until others are deregistered.
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::RoundStarted {
                validator,
                round,
                asks,
                ..
            } => {
                if let Some(known) = entry(&mut self.validators, validator) {
                    known.round = Some((round, asks));
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
                ..
            } => {
                if let Some(known) = entry(&mut self.validators, validator) {
                    known.vote = Some(VoteRecord { epoch, block });
                }
            }
            Event::Asked { .. }
            | Event::Answered { .. }
            | Event::Opened { .. }
            | Event::AskVoid { .. }
            | Event::Measured { .. }
            | Event::WeightsRevealed { .. }
            | Event::WeightsDue { .. }
            | Event::Resembles { .. }
            | Event::Learnt { .. }
            | Event::Alarm { .. } => {}
            Event::AskFailed {
                validator,
                miner,
                reason,
            } => {
                if let Some(known) = entry(&mut self.validators, validator) {
                    known.failures += 1;
                }
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
                let Some(known) = entry(&mut self.miners, miner) else {
                    return;
                };
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
            Event::Swapped { miner, to, .. } => {
                let Some(known) = entry(&mut self.miners, miner) else {
                    return;
                };
                known.serving = Some(to);
                known.swaps += 1;
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
            }
            miner
                .grades
                .retain(|validator, _| after.contains_key(validator));
            true
        });
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
