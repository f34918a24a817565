//! What a transcript claims and anybody can check without a model.

use athanor_scoring::{
    goodput,
    ledger::{AskOutcome, Load},
    round::Purpose,
    transcript::{Failure, Head, Leaf, Sight, Times, Transcript},
};
use athanor_spec::{
    Answer, Ask, Digest, Receipt, Signed, envelope::MAX_CLOCK_SKEW_MS, receipt::ReceiptError,
};
use serde::Serialize;
use thiserror::Error;

use super::{Grounds, context_of};
use crate::{
    ask::{self, Expected},
    plan::{self, Content, PlannedAsk},
    seed::{self, SeedInput},
    verdict,
};

/// A claim that does not hold.
#[derive(Clone, Debug, PartialEq, Error, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Difference {
    /// Another spec was in force.
    #[error("the round was held under spec {found}, not {expected}")]
    Spec {
        /// In the transcript.
        found: Digest,
        /// Given here.
        expected: Digest,
    },
    /// Another calibration was in force.
    #[error("the round was held with calibration {found}, not {expected}")]
    Calibration {
        /// In the transcript.
        found: Digest,
        /// Given here.
        expected: Digest,
    },
    /// The seed is not the VRF's output.
    #[error("the VRF's proof does not give the round's seed")]
    Seed,
    /// The root is not the one on chain.
    #[error("the root {root} is neither on chain nor anchored by the root {on_chain} that is")]
    Root {
        /// Of the transcript.
        root: Digest,
        /// On chain.
        on_chain: Digest,
    },
    /// Somebody was asked who is not a miner of the round.
    #[error("the account is not one of the round's miners")]
    Stranger,
    /// The round's seed gives no such ask.
    #[error("the round's seed gives no ask of this index")]
    NotPlanned,
    /// The ask is not the one that the seed gives.
    #[error("the ask is not the one that the round's seed gives")]
    OtherPrompt,
    /// What the round's seed opens was not replayed, or the other way round.
    #[error("{}", match opened {
        true => "the round's seed opens the ask, and it was not replayed",
        false => "the round's seed does not open the ask, and it was replayed",
    })]
    Opening {
        /// Whether the seed opens it.
        opened: bool,
    },
    /// The ask is not signed by the validator.
    #[error("the ask is not signed by the validator whose round it is")]
    Asker,
    /// The answer is not signed by the miner.
    #[error("the answer is not signed by the miner that was asked")]
    Answerer,
    /// A signature or the pairing of ask and answer is wrong.
    #[error("{reason}")]
    Receipt {
        /// In words.
        reason: String,
    },
    /// The answer is from a checkpoint that was not committed.
    #[error(
        "the answer's checkpoint was not committed before the round, and it was taken all the same"
    )]
    Uncommitted,
    /// The times contradict the signatures.
    #[error("the times that were measured contradict the signed ones")]
    Times,
    /// A number of the verdict is not what follows from what was recorded.
    #[error("`{field}` is {found}, but {expected} follows from what was recorded")]
    Verdict {
        /// Which.
        field: &'static str,
        /// In the transcript.
        found: String,
        /// Recomputed.
        expected: String,
    },
    /// A fault that the recorded answer does not show.
    #[error("the recorded answer does not show the fault: {found}")]
    Fault {
        /// What it shows.
        found: String,
    },
    /// A token's margin is another in the replay.
    #[error("token {token}: the margin is {found}, the replay gives {replayed}")]
    Margin {
        /// Position in the answer.
        token: usize,
        /// In the transcript.
        found: f32,
        /// In the replay.
        replayed: f32,
    },
    /// A sum of the divergence is another in the replay.
    #[error("{sum} is {found} nats, the replay gives {replayed}")]
    Loss {
        /// Which.
        sum: &'static str,
        /// In the transcript.
        found: f64,
        /// In the replay.
        replayed: f64,
    },
    /// The teacher does not continue the prompt as recorded.
    #[error("token {token} of the teacher's continuation is not its draw: the margin is {margin}")]
    Reference {
        /// Position.
        token: usize,
        /// In nats.
        margin: f32,
    },
    /// A model is said to be like one with other tensors than the checkpoint of that name has.
    #[error("the earlier model has other tensors than the record says")]
    OtherModel,
    /// Two models that were said to be of one class are not.
    #[error("the two models are not of one class")]
    NotAlike,
    /// A model that was said to be like nobody's is of an earlier one's class.
    #[error("the model is of the class of {}, which was there before it", earlier.short())]
    Alike {
        /// Digest of the manifest of the earlier one.
        earlier: Digest,
    },
    /// Two models are nearer to each other, or further apart, than was said.
    #[error("the distance of {distance} is {found}, compared anew {compared}")]
    Distance {
        /// Of what.
        distance: &'static str,
        /// In the transcript.
        found: f64,
        /// Compared anew.
        compared: f64,
    },
    /// A transcript is missing between two, or one is of another line.
    #[error("round {round} does not follow the transcript before it")]
    Line {
        /// Which.
        round: athanor_spec::Round,
    },
    /// The ledger before a round is another.
    #[error(
        "round {round} was closed on ledger {found}, but {derived} follows from the rounds before"
    )]
    Ledger {
        /// Which.
        round: athanor_spec::Round,
        /// In the transcript.
        found: Digest,
        /// Derived.
        derived: Digest,
    },
    /// The chain holds weights that follow from none of the rounds.
    #[error("the weights on chain follow from none of the rounds")]
    Weights,
}

/// What is wrong with a head.
pub(super) fn head(head: &Head, grounds: &Grounds) -> Vec<Difference> {
    let mut found = Vec::new();
    let (spec, calibration) = (grounds.spec.digest(), grounds.calibration.digest());
    if head.spec != spec {
        found.push(Difference::Spec {
            found: head.spec,
            expected: spec,
        });
    }
    if head.calibration != calibration {
        found.push(Difference::Calibration {
            found: head.calibration,
            expected: calibration,
        });
    }
    let input = SeedInput {
        genesis: head.genesis,
        netuid: head.netuid,
        spec: head.spec,
        round: head.round,
        block_hash: head.block_hash,
    };
    if seed::verify(&head.validator, &input, &head.proof) != Some(head.seed) {
        found.push(Difference::Seed);
    }
    found
}

/// What is wrong with a leaf, as far as no model is needed.
pub(super) fn leaf(
    transcript: &Transcript,
    leaf: &Leaf,
    planned: Option<&PlannedAsk>,
    grounds: &Grounds,
) -> Vec<Difference> {
    let mut found = Vec::new();
    let head = &transcript.head;
    let Some(miner) = head.miner(&leaf.account) else {
        return vec![Difference::Stranger];
    };
    let audit = leaf.purpose == Purpose::Audit;
    if audit && planned.is_none() {
        found.push(Difference::NotPlanned);
    }
    if audit && planned.is_some_and(|planned| planned.shared != leaf.shared) {
        found.push(Difference::OtherPrompt);
    }
    if let Some(ask) = leaf.ask() {
        if ask.signer != head.validator || ask.verify_signature(&context_of(transcript)).is_err() {
            found.push(Difference::Asker);
        }
        if audit && planned.is_some_and(|planned| planned.ask != ask.payload) {
            found.push(Difference::OtherPrompt);
        }
    }
    found.extend(opening(leaf, planned, head, grounds));
    let accepted: Vec<Digest> = [miner.checkpoint]
        .into_iter()
        .chain(miner.previous)
        .collect();
    let context = context_of(transcript);
    let expected = Expected {
        context: &context,
        hotkey: &leaf.account.hotkey,
        accepted: &accepted,
        vocab_size: grounds.spec.subnet.vocab_size,
    };
    match &leaf.sight {
        Sight::OwnTrouble { .. } => {}
        Sight::Failed {
            ask,
            failure,
            times,
            outcome,
            ..
        } => {
            found.extend(fault(&expected, ask, failure, times));
            found.extend(failed(outcome, planned));
        }
        Sight::Unopened {
            receipt,
            times,
            outcome,
        } => {
            found.extend(answered(&expected, receipt, times));
            found.extend(counted(outcome, receipt, times, grounds));
            let answer = Some(&receipt.answer.payload);
            found.extend(unopened(outcome, answer, times, planned, grounds));
        }
        Sight::FailedUnopened {
            ask,
            failure,
            times,
            outcome,
        } => {
            found.extend(fault(&expected, ask, failure, times));
            found.extend(unopened(outcome, None, times, planned, grounds));
        }
        Sight::Answered {
            receipt,
            times,
            reference,
            tokens,
            outcome,
        } => {
            found.extend(answered(&expected, receipt, times));
            found.extend(counted(outcome, receipt, times, grounds));
            let AskOutcome::Answered {
                e_value,
                credit,
                liveliness,
                service,
                pace,
                ..
            } = outcome
            else {
                let (found_, expected) = (kind(outcome).to_owned(), "answered".to_owned());
                found.push(verdict_difference("outcome", found_, expected));
                return found;
            };
            let ask = &receipt.ask.payload;
            let sampled = ask.temperature_milli > 0;
            let evidence = grounds
                .calibration
                .covers(ask.temperature_milli)
                .then(|| grounds.calibration.request_e_value(tokens));
            let counted = match sampled {
                true => receipt.answer.payload.tokens.len(),
                false => 0,
            };
            if tokens.len() != counted {
                let (found_, expected) = (tokens.len().to_string(), counted.to_string());
                found.push(verdict_difference("tokens", found_, expected));
            }
            found.extend(same("e_value", *e_value, evidence));
            let content = planned.map_or(&Content::Continuation, |planned| &planned.content);
            let plain = verdict::plain(
                content,
                &receipt.answer.payload,
                reference,
                times,
                &grounds.tokenizer,
                &grounds.spec,
            );
            found.extend(same("credit", *credit, plain.credit));
            found.extend(same(
                "liveliness",
                Some(*liveliness),
                Some(plain.liveliness),
            ));
            found.extend(same("service", Some(*service), Some(plain.service)));
            let count = u32::try_from(receipt.answer.payload.tokens.len()).unwrap_or(u32::MAX);
            let expected = times.pace(count, load(pace.load, planned));
            if *pace != expected {
                let (found_, expected) = (format!("{pace:?}"), format!("{expected:?}"));
                found.push(verdict_difference("pace", found_, expected));
            }
        }
    }
    found
}

/// What sort of outcome it is.
fn kind(outcome: &AskOutcome) -> &'static str {
    match outcome {
        AskOutcome::Answered { .. } => "answered",
        AskOutcome::Failed { .. } => "failed",
        AskOutcome::Unopened { .. } => "unopened",
    }
}

/// To the bit.
fn same(field: &'static str, found: Option<f64>, expected: Option<f64>) -> Option<Difference> {
    let bits = |value: Option<f64>| value.map(f64::to_bits);
    (bits(found) != bits(expected)).then(|| {
        let text = |value: Option<f64>| value.map_or("none".to_owned(), |value| value.to_string());
        verdict_difference(field, text(found), text(expected))
    })
}

fn verdict_difference(field: &'static str, found: String, expected: String) -> Difference {
    Difference::Verdict {
        field,
        found,
        expected,
    }
}

fn answered(expected: &Expected<'_>, receipt: &Receipt, times: &Times) -> Vec<Difference> {
    let mut found = Vec::new();
    if receipt.answer.signer != *expected.hotkey {
        found.push(Difference::Answerer);
    }
    if let Err(error) = receipt.check(expected.context) {
        found.push(of_receipt(error));
    }
    if !expected
        .accepted
        .contains(&receipt.answer.payload.checkpoint)
    {
        found.push(Difference::Uncommitted);
    }
    if !plausible(&receipt.ask, &receipt.answer, times) {
        found.push(Difference::Times);
    }
    found
}

/// The difference that a receipt's error is.
pub(super) fn of_receipt(error: ReceiptError) -> Difference {
    Difference::Receipt {
        reason: error.to_string(),
    }
}

/// An answer is signed between the sending of its ask and its arrival, give or take what clocks may differ by.
fn plausible(ask: &Signed<Ask>, answer: &Signed<Answer>, times: &Times) -> bool {
    let earliest = ask.issued_ms.saturating_sub(MAX_CLOCK_SKEW_MS);
    let latest = ask
        .issued_ms
        .saturating_add(times.elapsed_ms.into())
        .saturating_add(MAX_CLOCK_SKEW_MS);
    (earliest..=latest).contains(&answer.issued_ms)
        && times.first_token_ms <= times.elapsed_ms
        && times.own_ms <= times.elapsed_ms
}

/// Busy time of a validator that the clock of one ask may not have seen, while the moment of its load probe waited for it.
const UNSEEN_MS: u32 = 1_000;

/// What is wrong with the number of tokens that were there by the moment of a load probe: more than the answer has, or some
/// where the first came later. That fewer came is the validator's word, as all times are.
fn counted(
    outcome: &AskOutcome,
    receipt: &Receipt,
    times: &Times,
    grounds: &Grounds,
) -> Option<Difference> {
    let arrived = match outcome {
        AskOutcome::Answered { pace, .. } | AskOutcome::Unopened { pace, .. } => {
            pace.load.arrived()?
        }
        AskOutcome::Failed { .. } => return None,
    };
    let moment = goodput::window_ms(&grounds.spec)
        .saturating_add(times.own_ms)
        .saturating_add(UNSEEN_MS);
    let is_possible = arrived as usize <= receipt.answer.payload.tokens.len()
        && (arrived == 0 || times.first_token_ms <= moment);
    (!is_possible).then_some(Difference::Times)
}

/// What an ask may say that it came under: the planned load probe, unless the validator did not make it.
fn load(said: Load, planned: Option<&PlannedAsk>) -> Load {
    match probe(said.probe(), planned) {
        Some(probe) if goodput::is_joint(probe) => said,
        Some(probe) => Load::Probe { probe },
        None => Load::Alone,
    }
}

/// The load probe that an ask may say it belonged to: the planned one, unless the validator did not make it.
fn probe(said: Option<u32>, planned: Option<&PlannedAsk>) -> Option<u32> {
    said.filter(|_| said == planned.and_then(|planned| planned.load))
}

/// Whether a leaf was opened as the round's seed says.
fn opening(
    leaf: &Leaf,
    planned: Option<&PlannedAsk>,
    head: &Head,
    grounds: &Grounds,
) -> Option<Difference> {
    let found = match &leaf.sight {
        Sight::OwnTrouble { .. } => return None,
        Sight::Answered { .. } | Sight::Failed { .. } => true,
        Sight::Unopened { .. } | Sight::FailedUnopened { .. } => false,
    };
    let opened = match leaf.purpose {
        Purpose::Audit => planned?.opened,
        Purpose::Organic => {
            let request = leaf.ask()?.payload.hash();
            plan::opens(&head.seed, &request, &grounds.spec.round)
        }
    };
    (found != opened).then_some(Difference::Opening { opened })
}

/// What an ask that was not opened counts as follows from its times and the number of tokens.
fn unopened(
    outcome: &AskOutcome,
    answer: Option<&Answer>,
    times: &Times,
    planned: Option<&PlannedAsk>,
    grounds: &Grounds,
) -> Option<Difference> {
    let said = match outcome {
        AskOutcome::Unopened { pace, .. } => pace.load,
        AskOutcome::Answered { .. } | AskOutcome::Failed { .. } => Load::Alone,
    };
    let load = load(said, planned);
    let expected = verdict::unopened(answer, times, load, &grounds.spec.service);
    (*outcome != expected).then(|| {
        let (found, expected) = (format!("{outcome:?}"), format!("{expected:?}"));
        verdict_difference("outcome", found, expected)
    })
}

/// A fault that the answer in the transcript does not show.
fn fault(
    expected: &Expected<'_>,
    ask: &Signed<Ask>,
    failure: &Failure,
    times: &Times,
) -> Option<Difference> {
    failure.fault?;
    let shown = match &failure.answer {
        None => "there is none".to_owned(),
        Some(answer) => {
            let arrived = ask.issued_ms.saturating_add(times.elapsed_ms.into());
            match ask::check(expected, &ask.payload, answer, arrived) {
                Ok(()) => "it is well-formed".to_owned(),
                Err(flaw) if flaw.to_string() == failure.reason => return None,
                Err(flaw) => flaw.to_string(),
            }
        }
    };
    Some(Difference::Fault { found: shown })
}

fn failed(outcome: &AskOutcome, planned: Option<&PlannedAsk>) -> Vec<Difference> {
    let mut found = Vec::new();
    match (outcome, planned) {
        (AskOutcome::Failed { load, .. }, _) if *load != probe(*load, planned) => {
            let (found_, expected) = (format!("{load:?}"), "none".to_owned());
            found.push(verdict_difference("load", found_, expected));
        }
        (AskOutcome::Failed { checkable, .. }, Some(planned)) => {
            let expected = matches!(planned.content, Content::Task(_));
            if *checkable != expected {
                let (found_, expected) = (checkable.to_string(), expected.to_string());
                found.push(verdict_difference("checkable", found_, expected));
            }
        }
        (AskOutcome::Failed { .. }, None) => {}
        (AskOutcome::Answered { .. } | AskOutcome::Unopened { .. }, _) => {
            let (found_, expected) = (kind(outcome).to_owned(), "failed".to_owned());
            found.push(verdict_difference("outcome", found_, expected));
        }
    }
    found
}
