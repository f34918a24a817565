//! Why a neuron is paid what it is paid.

use std::fmt;

use athanor_chain::Neuron;
use athanor_spec::{
    Rao,
    telemetry::{FaultSummary, GradeSummary},
};

use super::State;
use crate::table::{Role, tao};

/// A reason for a neuron's pay, from what can be observed.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// It votes: paid by dividends.
    Votes {
        /// Share of all dividends, of 65,535.
        dividends: u16,
        /// Emission of the last epoch.
        emission: Rao,
    },
    /// It earned incentive in the last epoch.
    Paid {
        /// Share of all incentive, of 65,535.
        incentive: u16,
        /// Emission of the last epoch.
        emission: Rao,
    },
    /// The grade that its weight comes from.
    Graded {
        /// Lower bound of its quality, which is what weights pay.
        quality_low: f64,
        /// The lowest of its axes.
        lowest: &'static str,
        /// How it did there.
        value: f64,
    },
    /// Validators accuse it.
    Accused {
        /// How many.
        by: usize,
        /// Of how many graders.
        of: usize,
        /// The accusation of the one with the most stake.
        fault: FaultSummary,
    },
    /// It has committed to no checkpoint, so that validators have nothing to audit it against.
    NoCheckpoint,
    /// It announces no address, so that validators cannot ask it.
    NoAxon,
    /// No grade of it was heard.
    NotGraded,
    /// It was graded, and no validator's weights on chain name it.
    NoWeight {
        /// The lower bound of its quality, which is what weights pay.
        quality_low: f64,
    },
    /// Validators have weights on chain, none for it, and no grade that would say why was heard.
    Unweighted {
        /// Validators with weights on chain.
        of: usize,
    },
    /// It has weight that no epoch has counted yet.
    Pending {
        /// Blocks until the next epoch.
        blocks: u32,
    },
    /// It has weight, but not from a majority of the stake: consensus clips it to zero.
    Clipped {
        /// Validators that give it weight.
        by: usize,
        /// Validators with weights on chain.
        of: usize,
    },
}

/// The reasons for the neuron's pay, the decisive one first.
pub fn explain(state: &State, neuron: &Neuron) -> Vec<Cause> {
    let row = state.row(neuron);
    if row.role == Role::Validator {
        return vec![Cause::Votes {
            dividends: neuron.dividends,
            emission: neuron.emission,
        }];
    }
    let mut causes = Vec::new();
    if neuron.incentive > 0 {
        causes.push(Cause::Paid {
            incentive: neuron.incentive,
            emission: neuron.emission,
        });
    }
    if let Some(verdict) = row.verdict()
        && let Some(fault) = verdict.fault
    {
        causes.push(Cause::Accused {
            by: verdict.accusers,
            of: verdict.graders,
            fault: fault.clone(),
        });
    }
    if neuron.incentive > 0 {
        if let Some(verdict) = row.verdict()
            && verdict.fault.is_none()
        {
            causes.push(graded(verdict.grade));
        }
        return causes;
    }
    if neuron
        .commitment
        .and_then(|(record, _)| record.checkpoint())
        .is_none()
    {
        causes.push(Cause::NoCheckpoint);
    }
    if neuron.axon.is_none() {
        causes.push(Cause::NoAxon);
    }
    let weights = state.weights_on(neuron.uid);
    let backers = weights.iter().filter(|(_, weight)| *weight > 0).count();
    if backers > 0 {
        causes.push(pending_or_clipped(state, neuron, backers, weights.len()));
    } else if causes.is_empty() {
        causes.push(match row.verdict() {
            Some(verdict) => Cause::NoWeight {
                quality_low: verdict.grade.quality_low,
            },
            None if weights.is_empty() => Cause::NotGraded,
            None => Cause::Unweighted { of: weights.len() },
        });
    }
    causes
}

fn graded(grade: &GradeSummary) -> Cause {
    let axes = [
        ("fidelity", grade.fidelity),
        ("correctness", grade.correctness),
        ("service", grade.service),
        ("liveliness", grade.liveliness),
    ];
    let lowest = axes.into_iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let (lowest, value) = lowest.unwrap_or(axes[0]);
    Cause::Graded {
        quality_low: grade.quality_low,
        lowest,
        value,
    }
}

/// Weights count at the next epoch. Had one counted since the latest vote for it, consensus clipped them.
fn pending_or_clipped(state: &State, neuron: &Neuron, by: usize, of: usize) -> Cause {
    let pending = state.chain.as_ref().is_some_and(|chain| {
        let graph = &chain.metagraph;
        chain.votes.weights.iter().any(|(validator, row)| {
            let votes_for_it = row
                .iter()
                .any(|(to, weight)| *to == neuron.uid && *weight > 0);
            votes_for_it
                && graph.neurons.iter().any(|voter| {
                    voter.uid == *validator && voter.last_update >= graph.schedule.last_epoch_block
                })
        })
    });
    if pending {
        Cause::Pending {
            blocks: state.next_epoch().map_or(0, |(blocks, _)| blocks),
        }
    } else {
        Cause::Clipped { by, of }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |part: u16| f64::from(part) / f64::from(u16::MAX) * 100.0;
        match self {
            Self::Votes {
                dividends: 0,
                emission,
            } if emission.0 > 0 => write!(
                f,
                "no vote counted in the last epoch: {} TAO, by its stake alone",
                tao(*emission)
            ),
            Self::Votes {
                dividends,
                emission,
            } => {
                write!(
                    f,
                    "its votes earned {:.1} % of all dividends, {} TAO in the last epoch",
                    share(*dividends),
                    tao(*emission)
                )
            }
            Self::Paid {
                incentive,
                emission,
            } => {
                write!(
                    f,
                    "earned {:.1} % of all incentive, {} TAO in the last epoch",
                    share(*incentive),
                    tao(*emission)
                )
            }
            Self::Graded {
                quality_low,
                lowest,
                value,
            } => write!(
                f,
                "it is paid for a quality of at least {quality_low:.3} of 1; the lowest of its axes is {lowest}, {value:.3}"
            ),
            Self::Accused { by, of, fault } => {
                write!(
                    f,
                    "{by} of {of} validators accuse it of {}: {}",
                    fault.kind, fault.evidence
                )
            }
            Self::NoCheckpoint => f.write_str(
                "it has committed to no checkpoint: nothing to audit its answers against",
            ),
            Self::NoAxon => {
                f.write_str("it announces no address (axon) on chain: validators cannot ask it")
            }
            Self::NotGraded => f.write_str(
                "no grade of it was heard yet: it is paid from the first graded round on",
            ),
            Self::NoWeight { quality_low } => {
                write!(
                    f,
                    "graded, but no weight on chain names it yet (quality at least {quality_low:.3})"
                )
            }
            Self::Unweighted { of } => write!(
                f,
                "none of the {of} validators that vote gives it weight; why is not on chain, it is in their events"
            ),
            Self::Pending { blocks } => {
                write!(
                    f,
                    "it has weight that counts at the next epoch, in {blocks} blocks"
                )
            }
            Self::Clipped { by, of } => {
                write!(
                    f,
                    "{by} of {of} validators give it weight, less than half of the stake: consensus clips it to zero"
                )
            }
        }
    }
}
