//! Who works together: what validators' events say, and what follows from the votes on chain.
//!
//! The tests are those of `athanor_scoring::collusion`, with their stated error rates; nothing here moves pay.

use std::collections::BTreeMap;

use athanor_scoring::collusion::{
    cabal::{self, Rows},
    weight_copying::{self, Standing, WeightEpoch},
};
use athanor_spec::{
    BlockNumber, Digest, Hotkey, Uid,
    telemetry::{CoupledSummary, SharedMachineSummary},
};

use super::{Filter, History, Order, Resemblance, Snapshot, State, history::weight_in};

/// False discovery rate of the test for copied weights.
const Q: f64 = 0.05;
/// Validators and miners that the tests look at, those with the most stake and the most incentive: more takes longer than
/// a person waits.
const MOST: (usize, usize) = (64, 256);

/// What the votes on chain say.
#[derive(Clone, Debug, Default)]
pub struct VoteFindings {
    /// Validators by how much of their own their weights hold.
    pub copying: Vec<CopyFinding>,
    /// The densest group of validators that lift the same miners, whatever its p-value.
    pub group: Option<Group>,
    /// Epochs that the findings rest on.
    pub epochs: usize,
    /// Validators that voted in the last of them.
    pub validators: usize,
}

/// How much of a validator's weights is its own.
#[derive(Clone, Debug)]
pub struct CopyFinding {
    /// The validator.
    pub validator: Hotkey,
    /// Pooled correlation of its innovations with the others'.
    pub correlation: f64,
    /// Its 95 % interval.
    pub interval: (f64, f64),
    /// p-value of the null "honest".
    pub p_value: f64,
    /// How it stands.
    pub standing: Standing,
}

/// A group of validators and the miners that they lift.
#[derive(Clone, Debug)]
pub struct Group {
    /// The validators.
    pub validators: Vec<Hotkey>,
    /// The miners.
    pub miners: Vec<Uid>,
    /// p-value of the null that who lifts whom is exchangeable.
    pub p_value: f64,
    /// The smallest that it could be.
    pub p_smallest: f64,
}

/// Something that speaks for members that work together, or that are one.
#[derive(Clone, Debug)]
pub enum Suspect {
    /// Two miners committed to the same checkpoint.
    Identical {
        /// Who committed later.
        later: Hotkey,
        /// Who committed first.
        earlier: Hotkey,
        /// The checkpoint.
        checkpoint: Digest,
        /// The blocks of the later and of the earlier commitment.
        blocks: (BlockNumber, BlockNumber),
    },
    /// A validator accuses a miner of a model that somebody else committed to earlier.
    Copy {
        /// The miner.
        later: Hotkey,
        /// What shows it.
        evidence: String,
    },
    /// A validator finds two models too near to each other.
    Near {
        /// Who committed later.
        later: Hotkey,
        /// Who committed first.
        earlier: Hotkey,
        /// What it measured.
        found: Resemblance,
    },
    /// A validator finds that two miners slow down when they are loaded together.
    SharedMachine {
        /// The validator.
        by: Hotkey,
        /// What it measured.
        found: SharedMachineSummary,
    },
    /// A validator finds that two miners get slow at the same times: a screen, which accuses nobody.
    Coupled {
        /// The validator.
        by: Hotkey,
        /// What it measured.
        found: CoupledSummary,
    },
    /// A validator whose weights hold this much of its own.
    Copies(CopyFinding),
    /// Validators that lift the same miners.
    Together(Group),
}

impl Suspect {
    /// The member to look at first.
    pub fn whom(&self) -> Hotkey {
        match self {
            Self::Identical { later, .. } | Self::Copy { later, .. } | Self::Near { later, .. } => {
                *later
            }
            Self::SharedMachine { found, .. } => found.a,
            Self::Coupled { found, .. } => found.a,
            Self::Copies(found) => found.validator,
            Self::Together(group) => group.validators.first().copied().unwrap_or(Hotkey([0; 32])),
        }
    }
}

/// Everything that is known, the strongest kind first: no test is needed for equal checkpoints.
pub fn suspects(state: &State) -> Vec<Suspect> {
    let Some(chain) = &state.chain else {
        return Vec::new();
    };
    let mut first: BTreeMap<Digest, (BlockNumber, Hotkey)> = BTreeMap::new();
    let commitments: Vec<_> = chain
        .metagraph
        .neurons
        .iter()
        .filter_map(|it| {
            let (record, block) = it.commitment?;
            Some((record.checkpoint()?, block, it.hotkey))
        })
        .collect();
    for (digest, block, hotkey) in &commitments {
        let entry = first.entry(*digest).or_insert((*block, *hotkey));
        if *block < entry.0 {
            *entry = (*block, *hotkey);
        }
    }
    let mut found: Vec<Suspect> = commitments
        .iter()
        .filter_map(|(digest, block, hotkey)| {
            let (at, earlier) = first[digest];
            (earlier != *hotkey).then_some(Suspect::Identical {
                later: *hotkey,
                earlier,
                checkpoint: *digest,
                blocks: (*block, at),
            })
        })
        .collect();
    found.extend(
        state
            .rows(Order::default(), Filter::Accused, "")
            .iter()
            .filter_map(|row| {
                let fault = row.fault().filter(|fault| fault.kind == "copy")?;
                Some(Suspect::Copy {
                    later: row.neuron.hotkey,
                    evidence: fault.evidence.clone(),
                })
            }),
    );
    let mut near: Vec<_> = state.peers.resemblances.iter().collect();
    near.sort_by(|(_, a), (_, b)| a.behaviour.total_cmp(&b.behaviour));
    found.extend(
        near.into_iter()
            .map(|((later, earlier), found)| Suspect::Near {
                later: *later,
                earlier: *earlier,
                found: found.clone(),
            }),
    );
    // Of the validators that tell of it, the one with the most stake has seen the most.
    let told = state
        .peers
        .validators
        .iter()
        .filter_map(|(by, known)| Some((by, known.collusion.as_ref()?)))
        .max_by_key(|(by, _)| state.neuron(by).map(|neuron| neuron.stake));
    if let Some((by, seen)) = told {
        let by = *by;
        let mut shared = seen.shared_machines.clone();
        shared.sort_by(|a, b| b.e_value.total_cmp(&a.e_value));
        found.extend(
            shared
                .into_iter()
                .map(|found| Suspect::SharedMachine { by, found }),
        );
        let mut coupled = seen.coupled_latency.clone();
        coupled.sort_by(|a, b| a.p_value.total_cmp(&b.p_value));
        found.extend(
            coupled
                .into_iter()
                .map(|found| Suspect::Coupled { by, found }),
        );
    }
    found.extend(state.findings.copying.iter().cloned().map(Suspect::Copies));
    found.extend(state.findings.group.iter().cloned().map(Suspect::Together));
    found
}

impl VoteFindings {
    /// From the votes of the epochs so far; `latest` says who the miners are.
    pub(super) fn of(history: &History, latest: &Snapshot) -> Self {
        let Some(last) = history.epochs.back() else {
            return Self::default();
        };
        let mut voters: Vec<(Hotkey, u64)> = last
            .rows
            .iter()
            .map(|(who, stake, _)| (*who, *stake))
            .collect();
        voters.sort_by_key(|(who, stake)| (std::cmp::Reverse(*stake), *who));
        voters.truncate(MOST.0);
        let index: BTreeMap<Hotkey, usize> = voters.iter().map(|(who, _)| *who).zip(0..).collect();
        let mut miners: Vec<(u16, Uid)> = latest
            .metagraph
            .neurons
            .iter()
            .filter(|it| it.incentive > 0 || it.consensus > 0)
            .map(|it| (it.incentive, it.uid))
            .collect();
        miners.sort_by_key(|(incentive, uid)| (std::cmp::Reverse(*incentive), *uid));
        miners.truncate(MOST.1);
        let miners: Vec<Uid> = miners.into_iter().map(|(_, uid)| uid).collect();
        let dense = |rows: &[(Hotkey, u64, athanor_chain::Row)]| {
            let mut dense = vec![vec![0.0; miners.len()]; voters.len()];
            for (who, _, (_, row)) in rows {
                if let Some(at) = index.get(who) {
                    let all: f64 = row.iter().map(|(_, weight)| f64::from(*weight)).sum();
                    for (cell, uid) in dense[*at].iter_mut().zip(&miners) {
                        *cell = f64::from(weight_in(row, *uid)) / all.max(1.0);
                    }
                }
            }
            dense
        };
        let consensus = |of: &[u16]| {
            miners
                .iter()
                .map(|uid| f64::from(of.get(usize::from(uid.0)).copied().unwrap_or(0)))
                .collect()
        };
        let epochs: Vec<WeightEpoch> = history
            .epochs
            .iter()
            .zip(history.epochs.iter().skip(1))
            .map(|(before, epoch)| WeightEpoch {
                rows: dense(&epoch.rows),
                stakes: voters.iter().map(|(_, stake)| *stake as f64).collect(),
                last_consensus: consensus(&before.consensus),
            })
            .collect();
        let copying = weight_copying::test(&epochs, voters.len(), Q)
            .into_iter()
            .map(|found| CopyFinding {
                validator: voters[found.validator].0,
                correlation: found.correlation,
                interval: found.interval,
                p_value: found.p_value,
                standing: found.standing,
            })
            .collect();
        let rows = Rows {
            rows: dense(&last.rows),
            validator_regions: vec![0; voters.len()],
            miner_regions: vec![0; miners.len()],
        };
        let group = cabal::test(&rows, last.epoch.0).map(|found| Group {
            validators: found.validators.iter().map(|at| voters[*at].0).collect(),
            miners: found.miners.iter().map(|at| miners[*at]).collect(),
            p_value: found.p_value,
            p_smallest: found.p_smallest,
        });
        Self {
            copying,
            group,
            epochs: epochs.len(),
            validators: voters.len(),
        }
    }
}
