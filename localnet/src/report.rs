//! The run's report: a stable JSON that says who was paid what, and why.

use std::collections::BTreeMap;

use athanor_spec::{
    BlockNumber, Digest, Epoch, Hotkey, Uid,
    telemetry::{Event, FaultSummary, GradeSummary, HeldOut},
};
use serde::{Deserialize, Serialize};

/// Everything that a run of the local subnet found. Keys are only ever added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Seed of the roster, the initialisation, the data and the adversaries.
    pub seed: u64,
    /// One entry per epoch, in order.
    pub epochs: Vec<EpochReport>,
    /// Training history of each miner that distils.
    pub distillation: Vec<Distillation>,
    /// Checkpoints swapped in while serving.
    pub hot_swaps: u64,
    /// Asks of validators to honest miners that got no answer, for whatever reason.
    pub failed_requests: u64,
    /// The reasons of the failed requests, with their counts.
    pub failed_request_reasons: BTreeMap<String, u64>,
    /// Every signed extrinsic that was included.
    pub extrinsics: Vec<ExtrinsicReport>,
}

/// One epoch as the chain settled it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Index of the epoch on chain.
    pub epoch: Epoch,
    /// Block in which it was settled.
    pub block: BlockNumber,
    /// Seconds since the start of the run.
    pub seconds: f64,
    /// All neurons, by UID.
    pub neurons: Vec<NeuronReport>,
}

/// What a neuron is registered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Serves.
    Miner,
    /// Scores.
    Validator,
}

/// One neuron in one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeuronReport {
    /// Slot.
    pub uid: Uid,
    /// Account.
    pub hotkey: Hotkey,
    /// What it is registered for.
    pub role: Role,
    /// `honest`, or the name of the cheat that it plays.
    pub behaviour: String,
    /// Checkpoint that it commits to.
    pub checkpoint: Option<Digest>,
    /// Weight that each validator gave it, by the validator's UID.
    pub weight_by_validator: BTreeMap<Uid, u16>,
    /// Grade that each validator gave it, by the validator's UID.
    pub grades_by_validator: BTreeMap<Uid, GradeReport>,
    /// A fault found by any validator.
    pub fault: Option<String>,
    /// Incentive, as a share of 65535.
    pub incentive: u16,
    /// Dividends, as a share of 65535.
    pub dividends: u16,
    /// Paid in this epoch.
    pub emission_rao: u64,
}

/// A validator's grade of a miner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GradeReport {
    /// Fidelity axis, in [0, 1].
    pub fidelity: f64,
    /// Correctness axis, in [0, 1].
    pub correctness: f64,
    /// Service axis, in [0, 1].
    pub service: f64,
    /// Cap by loops and missing ends, in [0, 1].
    pub liveliness: f64,
    /// Quality, in [0, 1].
    pub quality: f64,
    /// The accusation, if there is one.
    pub fault: Option<FaultSummary>,
}

impl From<&GradeSummary> for GradeReport {
    fn from(grade: &GradeSummary) -> Self {
        Self {
            fidelity: grade.fidelity,
            correctness: grade.correctness,
            service: grade.service,
            liveliness: grade.liveliness,
            quality: grade.quality,
            fault: grade.fault.clone(),
        }
    }
}

/// Training history of one miner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distillation {
    /// The miner.
    pub uid: Uid,
    /// One entry per reported step.
    pub steps: Vec<DistillationStep>,
}

/// One reported step of training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistillationStep {
    /// Optimiser steps so far.
    pub step: u64,
    /// Training loss, nats per token.
    pub loss: f64,
    /// Mean held-out loss, nats per token, where it was measured.
    pub heldout: Option<f64>,
    /// The held-out improvement over the first checkpoint, with its 95 % bound.
    pub improvement: Option<HeldOut>,
}

/// A signed extrinsic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtrinsicReport {
    /// Block of inclusion.
    pub block: BlockNumber,
    /// blake2-256 of the extrinsic.
    pub hash: Digest,
    /// `Pallet.call`.
    pub call: String,
    /// Who signed.
    pub signer: Option<Hotkey>,
    /// Whether its dispatch succeeded.
    pub success: bool,
}

/// A registered neuron of the local subnet, as the roster knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Slot.
    pub uid: Uid,
    /// Account.
    pub hotkey: Hotkey,
    /// What it is registered for.
    pub role: Role,
    /// `honest`, or the name of the cheat.
    pub behaviour: String,
}

/// Gathers telemetry between two epochs; pure, so that it can be tested without a network.
#[derive(Clone, Debug, Default)]
pub struct Collector {
    members: Vec<Member>,
    grades: BTreeMap<(Uid, Uid), GradeSummary>,
    report: Report,
}

impl Collector {
    /// A collector for a roster.
    pub fn new(seed: u64, members: Vec<Member>) -> Self {
        Self {
            members,
            grades: BTreeMap::new(),
            report: Report {
                seed,
                ..Report::default()
            },
        }
    }

    /// The member with this hotkey.
    pub fn member(&self, hotkey: &Hotkey) -> Option<&Member> {
        self.members.iter().find(|member| member.hotkey == *hotkey)
    }

    /// The roster.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The last grade that `validator` gave `miner`.
    pub fn grade(&self, validator: Uid, miner: Uid) -> Option<&GradeSummary> {
        self.grades.get(&(validator, miner))
    }

    /// Takes in one event.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::Graded {
                validator,
                uid,
                grade,
                ..
            } => {
                if let Some(validator) = self.member(validator).map(|member| member.uid) {
                    self.grades.insert((validator, *uid), grade.clone());
                }
            }
            Event::Distilled {
                miner,
                step,
                loss,
                heldout,
            } => {
                let Some(uid) = self.member(miner).map(|member| member.uid) else {
                    return;
                };
                let step = DistillationStep {
                    step: *step,
                    loss: *loss,
                    heldout: heldout.map(|held_out| held_out.loss),
                    improvement: *heldout,
                };
                match self
                    .report
                    .distillation
                    .iter_mut()
                    .find(|history| history.uid == uid)
                {
                    Some(history) => history.steps.push(step),
                    None => self.report.distillation.push(Distillation {
                        uid,
                        steps: vec![step],
                    }),
                }
            }
            Event::Swapped { .. } => self.report.hot_swaps += 1,
            Event::AskFailed { miner, reason, .. } => {
                if self
                    .member(miner)
                    .is_some_and(|member| member.behaviour == HONEST)
                {
                    self.report.failed_requests += 1;
                    *self
                        .report
                        .failed_request_reasons
                        .entry(reason.clone())
                        .or_default() += 1;
                }
            }
            Event::RequestFailed { .. }
            | Event::Asked { .. }
            | Event::Answered { .. }
            | Event::Opened { .. }
            | Event::AskVoid { .. }
            | Event::Measured { .. }
            | Event::Resembles { .. }
            | Event::Collusion { .. }
            | Event::RoundStarted { .. }
            | Event::WeightsSet { .. }
            | Event::WeightsCommitted { .. }
            | Event::WeightsRevealed { .. }
            | Event::WeightsDue { .. }
            | Event::Learnt { .. }
            | Event::Alarm { .. } => {}
        }
    }

    /// Closes an epoch with what the chain says of it.
    pub fn close_epoch(&mut self, mut epoch: EpochReport) -> &EpochReport {
        for neuron in &mut epoch.neurons {
            neuron.grades_by_validator = self
                .grades
                .iter()
                .filter(|((_, miner), _)| *miner == neuron.uid)
                .map(|((validator, _), grade)| (*validator, GradeReport::from(grade)))
                .collect();
            neuron.fault = neuron
                .grades_by_validator
                .values()
                .find_map(|grade| grade.fault.as_ref())
                .map(|fault| fault.kind.clone());
        }
        self.report.epochs.push(epoch);
        &self.report.epochs[self.report.epochs.len() - 1]
    }

    /// Adds the signed extrinsics of a block.
    pub fn extrinsics(&mut self, extrinsics: impl IntoIterator<Item = ExtrinsicReport>) {
        self.report.extrinsics.extend(extrinsics);
    }

    /// The report so far.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

/// The behaviour of those who do not cheat.
pub const HONEST: &str = "honest";

#[cfg(test)]
mod tests {
    use athanor_spec::Round;

    use super::*;

    fn member(uid: u16, role: Role, behaviour: &str) -> Member {
        Member {
            uid: Uid(uid),
            hotkey: Hotkey([uid as u8; 32]),
            role,
            behaviour: behaviour.into(),
        }
    }

    fn collector() -> Collector {
        Collector::new(
            7,
            vec![
                member(0, Role::Validator, HONEST),
                member(1, Role::Miner, HONEST),
                member(2, Role::Miner, "relay"),
            ],
        )
    }

    #[test]
    fn a_grade_ends_up_in_the_epoch_under_the_validator_s_uid() {
        let mut collector = collector();
        let fault = FaultSummary {
            kind: "wrong_checkpoint".into(),
            evidence: "e-value 1e7".into(),
        };
        collector.observe(&Event::Graded {
            validator: Hotkey([0; 32]),
            miner: Hotkey([2; 32]),
            uid: Uid(2),
            round: Round(1),
            grade: GradeSummary {
                quality: 0.5,
                fault: Some(fault),
                ..GradeSummary::default()
            },
        });
        let neuron = NeuronReport {
            uid: Uid(2),
            hotkey: Hotkey([2; 32]),
            role: Role::Miner,
            behaviour: "relay".into(),
            checkpoint: None,
            weight_by_validator: BTreeMap::new(),
            grades_by_validator: BTreeMap::new(),
            fault: None,
            incentive: 0,
            dividends: 0,
            emission_rao: 0,
        };
        let epoch = EpochReport {
            epoch: Epoch(1),
            block: BlockNumber(9),
            seconds: 1.0,
            neurons: vec![neuron],
        };
        let closed = collector.close_epoch(epoch);
        assert_eq!(closed.neurons[0].fault.as_deref(), Some("wrong_checkpoint"));
        assert_eq!(closed.neurons[0].grades_by_validator[&Uid(0)].quality, 0.5);
    }

    #[test]
    fn failures_of_cheats_are_not_the_subnet_s_failures() {
        let mut collector = collector();
        for miner in [1, 2] {
            collector.observe(&Event::AskFailed {
                validator: Hotkey([0; 32]),
                miner: Hotkey([miner; 32]),
                reason: "timeout".into(),
            });
        }
        assert_eq!(collector.report().failed_requests, 1);
    }

    #[test]
    fn the_json_keys_are_stable() {
        let report = collector().report().clone();
        let json = serde_json::to_value(&report).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        for key in [
            "epochs",
            "distillation",
            "hot_swaps",
            "failed_requests",
            "extrinsics",
        ] {
            assert!(keys.iter().any(|k| k == key), "{key} is missing");
        }
        assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
    }
}
