//! What a transcript says of models, replayed.

use std::sync::Arc;

use athanor_model::Checkpoint;
use athanor_scoring::{
    evidence::TokenObservation,
    ledger::{AskOutcome, Load},
    round::Purpose,
    transcript::{Continuation, Leaf, Sight, Times},
};
use athanor_spec::{Digest, Receipt};

use super::Difference;
use crate::{
    audit::{Replay, Replayer},
    plan::{Content, PlannedAsk},
    teacher,
};

/// Largest honest difference of a token's margin in nats: five standard deviations of the noise between two back ends.
pub(super) const MARGIN_TOLERANCE: f32 = 0.1;
/// Largest honest difference of a sum of divergences or entropies, as a share of it and in nats.
const LOSS_SHARE: f64 = 0.02;
const LOSS_NATS: f64 = 0.05;
/// Names of [`athanor_scoring::fidelity::FidelitySums::sums`].
const SUMS: [&str; 4] = ["own charge", "own base", "forced charge", "forced base"];

/// What replaying a leaf or a receipt has shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Replayed {
    /// What differs beyond the tolerance.
    pub(super) differences: Vec<Difference>,
    /// Largest difference of a margin in nats; `None` where nothing could be compared.
    pub(super) largest: Option<f32>,
    /// Tokens that are the replay's own draws, and tokens.
    pub(super) drawn: Option<(usize, usize)>,
    /// The replay's e-value.
    pub(super) e_value: Option<f64>,
    /// Why nothing was replayed.
    pub(super) not: Option<String>,
}

impl Replayed {
    fn not(reason: impl ToString) -> Self {
        Self {
            not: Some(reason.to_string()),
            ..Self::default()
        }
    }
}

/// The checkpoint that a leaf's replay needs.
pub(super) fn checkpoint_of(leaf: &Leaf) -> Option<Digest> {
    match &leaf.sight {
        Sight::Answered { receipt, .. } => Some(receipt.answer.payload.checkpoint),
        Sight::Failed { .. }
        | Sight::OwnTrouble { .. }
        | Sight::Unopened { .. }
        | Sight::FailedUnopened { .. } => None,
    }
}

/// Replays a leaf.
pub(super) fn leaf(
    replayer: &mut Replayer,
    leaf: &Leaf,
    planned: Option<&PlannedAsk>,
    checkpoint: Option<Arc<Checkpoint>>,
    tolerance: f32,
) -> Replayed {
    let (ask, reference) = match &leaf.sight {
        Sight::OwnTrouble { reason, .. } => return Replayed::not(reason),
        Sight::Unopened { .. } | Sight::FailedUnopened { .. } => {
            return Replayed::not("the round's seed does not open it");
        }
        Sight::Failed { ask, reference, .. } => (&ask.payload, reference),
        Sight::Answered {
            receipt, reference, ..
        } => (&receipt.ask.payload, reference),
    };
    let mut replayed = Replayed::default();
    let planned = match (planned, leaf.purpose) {
        (Some(planned), _) => PlannedAsk {
            ask: ask.clone(),
            ..planned.clone()
        },
        // Users' asks are in no plan, and no grade rests on how the teacher would continue them.
        (None, Purpose::Organic) => bare(ask, leaf.account.hotkey),
        // Nobody knows which draws the teacher's continuation was made with.
        (None, Purpose::Audit) => return Replayed::not("the round's seed gives no such ask"),
    };
    if leaf.purpose == Purpose::Audit {
        match replayer.continued(&teacher::reference(&planned), reference) {
            Ok(observed) => replayed
                .differences
                .extend(first_foreign(&observed, tolerance)),
            Err(error) => return Replayed::not(error),
        }
    }
    match &leaf.sight {
        Sight::Answered {
            receipt,
            times,
            reference,
            tokens,
            outcome,
        } => {
            let Some(checkpoint) = checkpoint else {
                return Replayed::not("the checkpoint is not at hand: give it by --artifact");
            };
            let replay = Replay {
                planned,
                answer: receipt.answer.payload.clone(),
                times: *times,
                // How fast it came is held against what was recorded by itself.
                load: Load::Alone,
                checkpoint,
                reference: reference.clone(),
            };
            match replayer.replay(&replay) {
                Ok(found) => {
                    replayed.compare_tokens(tokens, &found.tokens, tolerance);
                    replayed.compare_losses(outcome, &found.outcome);
                    if let AskOutcome::Answered { e_value, .. } = found.outcome {
                        replayed.e_value = e_value;
                    }
                }
                Err(error) => return Replayed::not(error),
            }
        }
        Sight::Failed {
            reference, outcome, ..
        } => match replayer.missing(&planned, reference) {
            Ok(found) => replayed.compare_losses(outcome, &found),
            Err(error) => return Replayed::not(error),
        },
        Sight::OwnTrouble { .. } | Sight::Unopened { .. } | Sight::FailedUnopened { .. } => {}
    }
    replayed
}

/// Replays a receipt: whether the answer was drawn from the checkpoint that it names.
pub(super) fn receipt(
    replayer: &mut Replayer,
    receipt: &Receipt,
    checkpoint: Option<Arc<Checkpoint>>,
    tolerance: f32,
) -> Replayed {
    let Some(checkpoint) = checkpoint else {
        return Replayed::not("the checkpoint is not at hand: give it by --artifact");
    };
    let (ask, answer) = (&receipt.ask.payload, &receipt.answer.payload);
    let replay = Replay {
        planned: bare(ask, receipt.answer.signer),
        answer: answer.clone(),
        times: Times::default(),
        load: Load::Alone,
        checkpoint,
        // Only the draws matter here: the answer stands for the reference.
        reference: Continuation {
            tokens: answer.tokens.clone(),
            finish: answer.finish,
        },
    };
    let found = match replayer.replay(&replay) {
        Ok(found) => found,
        Err(error) => return Replayed::not(error),
    };
    let own = |token: &&TokenObservation| token.margin <= tolerance;
    let mut replayed = Replayed {
        drawn: Some((found.tokens.iter().filter(own).count(), found.tokens.len())),
        ..Replayed::default()
    };
    if let AskOutcome::Answered { e_value, .. } = found.outcome {
        replayed.e_value = e_value;
    }
    let foreign = found.tokens.iter().position(|token| !own(&token));
    if let Some(token) = foreign {
        replayed.differences.push(Difference::Margin {
            token,
            found: 0.0,
            replayed: found.tokens[token].margin,
        });
    }
    replayed
}

fn first_foreign(observed: &[TokenObservation], tolerance: f32) -> Option<Difference> {
    let token = observed
        .iter()
        .position(|token| token.margin > tolerance || token.margin.is_nan())?;
    Some(Difference::Reference {
        token,
        margin: observed[token].margin,
    })
}

/// An ask that no plan knows of.
fn bare(ask: &athanor_spec::Ask, miner: athanor_spec::Hotkey) -> PlannedAsk {
    PlannedAsk {
        miner,
        uid: athanor_spec::Uid(0),
        index: 0,
        shared: None,
        load: None,
        block_offset: 0,
        ask: ask.clone(),
        reference_seed: 0,
        opened: true,
        content: Content::Continuation,
    }
}

impl Replayed {
    fn compare_tokens(
        &mut self,
        found: &[TokenObservation],
        replayed: &[TokenObservation],
        tolerance: f32,
    ) {
        let apart = |(one, other): (&TokenObservation, &TokenObservation)| {
            (one.margin - other.margin).abs()
        };
        let distances: Vec<f32> = found.iter().zip(replayed).map(apart).collect();
        self.largest = distances.iter().copied().reduce(f32::max).or(Some(0.0));
        let worst = distances
            .iter()
            .position(|distance| *distance > tolerance || distance.is_nan());
        if let Some(token) = worst {
            self.differences.push(Difference::Margin {
                token,
                found: found[token].margin,
                replayed: replayed[token].margin,
            });
        }
    }

    fn compare_losses(&mut self, found: &AskOutcome, replayed: &AskOutcome) {
        let sums = |outcome: &AskOutcome| match outcome {
            AskOutcome::Answered { fidelity, .. } | AskOutcome::Failed { fidelity, .. } => {
                fidelity.sums()
            }
            AskOutcome::Unopened { .. } => Default::default(),
        };
        for ((sum, found), replayed) in SUMS.into_iter().zip(sums(found)).zip(sums(replayed)) {
            let allowed = LOSS_NATS + LOSS_SHARE * found.abs().max(replayed.abs());
            if (found - replayed).abs() > allowed {
                self.differences.push(Difference::Loss {
                    sum,
                    found,
                    replayed,
                });
            }
        }
    }
}
