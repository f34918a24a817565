//! One ask of a transcript.

use athanor_spec::{Account, Answer, Ask, Finish, Receipt, Signed, params::Limits};
use codec::{Decode, Encode};

use crate::{
    evidence::TokenObservation,
    grade::Timing,
    ledger::{AskOutcome, Fault, FaultKind, Load, Pace},
    round::{AskResult, Purpose},
};

/// What a leaf may hold beside prompts and tokens, in bytes: envelopes, numbers, and words.
const FIXED_BYTES: usize = 4096;
/// Longest words of a leaf, in bytes.
const MAX_WORDS: usize = Fault::MAX_EVIDENCE_BYTES;

/// Where a leaf stands in a transcript.
pub type LeafKey = (Account, Purpose, u32);

/// What came of one ask, with all that a stranger needs to check it.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Leaf {
    /// Who was asked.
    pub account: Account,
    /// Why.
    pub purpose: Purpose,
    /// Position among the asks of this purpose to the account in this round.
    pub index: u32,
    /// Which of the round's shared prompts it was, if it was one.
    pub shared: Option<u32>,
    /// What was seen, and what was found.
    pub sight: Sight,
}

/// What was seen of an ask, and what was found.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Sight {
    /// The validator was in trouble itself: the ask counts for nothing.
    #[codec(index = 0)]
    OwnTrouble {
        /// In words.
        reason: String,
        /// The exchange, if there was one.
        receipt: Option<Receipt>,
    },
    /// No usable answer came.
    #[codec(index = 1)]
    Failed {
        /// What was asked.
        ask: Signed<Ask>,
        /// What went wrong.
        failure: Failure,
        /// How long it took.
        times: Times,
        /// The teacher's continuation of the same prompt.
        reference: Continuation,
        /// What it counts as.
        outcome: AskOutcome,
    },
    /// An answer came, and was replayed.
    #[codec(index = 2)]
    Answered {
        /// What was asked and answered.
        receipt: Receipt,
        /// How long it took.
        times: Times,
        /// The teacher's continuation of the same prompt.
        reference: Continuation,
        /// What each token of the answer says about seed and checkpoint; empty for greedy asks.
        tokens: Vec<TokenObservation>,
        /// What it counts as.
        outcome: AskOutcome,
    },
    /// An answer came to an ask that the round's seed did not draw for opening: only its time counts.
    #[codec(index = 3)]
    Unopened {
        /// What was asked and answered.
        receipt: Receipt,
        /// How long it took.
        times: Times,
        /// What it counts as.
        outcome: AskOutcome,
    },
    /// No usable answer came to an ask that the round's seed did not draw for opening.
    #[codec(index = 4)]
    FailedUnopened {
        /// What was asked.
        ask: Signed<Ask>,
        /// What went wrong.
        failure: Failure,
        /// How long it took.
        times: Times,
        /// What it counts as.
        outcome: AskOutcome,
    },
}

/// Times by the validator's own socket and clock, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Times {
    /// From the first byte of the ask to the first tokens; equal to `elapsed_ms` if no answer came.
    pub first_token_ms: u32,
    /// From the first byte of the ask to the last byte of the answer, or until it was given up.
    pub elapsed_ms: u32,
    /// Of that time, how long this validator was too busy to look: it is not held against the miner.
    pub own_ms: u32,
}

impl Times {
    /// The times of an answer of so many tokens that are held against the miner. What this validator was busy may have
    /// delayed the first token or the others, so it is taken off both parts.
    pub fn charged(&self, tokens: u32) -> Timing {
        let first = self.first_token_ms.min(self.elapsed_ms);
        let rest = self.elapsed_ms - first;
        let first_token_ms = first.saturating_sub(self.own_ms);
        Timing {
            first_token_ms: first_token_ms.into(),
            elapsed_ms: u64::from(first_token_ms) + u64::from(rest.saturating_sub(self.own_ms)),
            tokens,
        }
    }

    /// How fast an answer of so many tokens came, and under which load.
    pub fn pace(&self, tokens: u32, load: Load) -> Pace {
        Pace {
            tokens,
            elapsed_ms: self.elapsed_ms.saturating_sub(self.own_ms),
            load,
        }
    }
}

/// The teacher's own continuation of a prompt, drawn at temperature 1 with draws that no miner can know.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Continuation {
    /// Token ids, the end token included when it was drawn.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub finish: Finish,
}

/// Why there is no usable answer.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Failure {
    /// In words.
    pub reason: String,
    /// What it is a fault of, if what came proves one.
    pub fault: Option<FaultKind>,
    /// What came, signed by whoever signed it.
    pub answer: Option<Signed<Answer>>,
}

impl Leaf {
    /// Where it stands.
    pub fn key(&self) -> LeafKey {
        (self.account, self.purpose, self.index)
    }

    /// What was asked, unless nothing was.
    pub fn ask(&self) -> Option<&Signed<Ask>> {
        match &self.sight {
            Sight::OwnTrouble { receipt, .. } => receipt.as_ref().map(|receipt| &receipt.ask),
            Sight::Failed { ask, .. } | Sight::FailedUnopened { ask, .. } => Some(ask),
            Sight::Answered { receipt, .. } | Sight::Unopened { receipt, .. } => Some(&receipt.ask),
        }
    }

    /// Why there is no usable answer, if there is none by the miner's fault.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.sight {
            Sight::Failed { failure, .. } | Sight::FailedUnopened { failure, .. } => Some(failure),
            Sight::OwnTrouble { .. } | Sight::Answered { .. } | Sight::Unopened { .. } => None,
        }
    }

    /// What it counts as; `None` for the validator's own trouble.
    pub fn outcome(&self) -> Option<&AskOutcome> {
        match &self.sight {
            Sight::OwnTrouble { .. } => None,
            Sight::Failed { outcome, .. }
            | Sight::Answered { outcome, .. }
            | Sight::Unopened { outcome, .. }
            | Sight::FailedUnopened { outcome, .. } => Some(outcome),
        }
    }

    /// What the round is closed with; `None` for the validator's own trouble.
    pub fn result(&self) -> Option<AskResult> {
        let of_failure = |failure: &Failure| {
            Some(Fault {
                kind: failure.fault?,
                evidence: failure.reason.clone(),
            })
        };
        let fault = self.failure().and_then(of_failure);
        Some(AskResult {
            account: self.account,
            purpose: self.purpose,
            index: self.index,
            shared: self.shared,
            from: match &self.sight {
                Sight::Answered { receipt, .. } | Sight::Unopened { receipt, .. } => {
                    Some(receipt.answer.payload.checkpoint)
                }
                Sight::OwnTrouble { .. } | Sight::Failed { .. } | Sight::FailedUnopened { .. } => {
                    None
                }
            },
            outcome: *self.outcome()?,
            fault,
        })
    }

    /// Cuts words to what a leaf may hold.
    pub fn words(mut text: String) -> String {
        let mut end = text.len().min(MAX_WORDS);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text
    }

    /// Longest encoded leaf of a subnet with these limits, in bytes.
    pub const fn max_bytes(limits: &Limits) -> usize {
        // A token takes at most five bytes in an answer and in a continuation each, and eight as an observation.
        FIXED_BYTES + 5 * limits.max_prompt_tokens as usize + 18 * limits.max_new_tokens as usize
    }

    pub(super) fn is_bounded(&self, limits: &Limits) -> bool {
        let new = limits.max_new_tokens as usize;
        let ask = |ask: &Signed<Ask>| ask.payload.prompt.len() <= limits.max_prompt_tokens as usize;
        let answer = |answer: &Signed<Answer>| answer.payload.tokens.len() <= new;
        let receipt = |receipt: &Receipt| ask(&receipt.ask) && answer(&receipt.answer);
        let failure = |failure: &Failure| {
            failure.reason.len() <= MAX_WORDS && failure.answer.as_ref().is_none_or(answer)
        };
        if !self.outcome().is_none_or(AskOutcome::is_bounded) {
            return false;
        }
        match &self.sight {
            Sight::OwnTrouble {
                reason,
                receipt: exchange,
            } => reason.len() <= MAX_WORDS && exchange.as_ref().is_none_or(receipt),
            Sight::Failed {
                ask: asked,
                failure: failed,
                reference,
                ..
            } => ask(asked) && failure(failed) && reference.tokens.len() <= new,
            Sight::Unopened {
                receipt: exchange, ..
            } => receipt(exchange),
            Sight::FailedUnopened {
                ask: asked,
                failure: failed,
                ..
            } => ask(asked) && failure(failed),
            Sight::Answered {
                receipt: exchange,
                reference,
                tokens,
                ..
            } => receipt(exchange) && reference.tokens.len() <= new && tokens.len() <= new,
        }
    }
}
