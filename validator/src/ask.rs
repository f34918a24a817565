//! Sends one ask, checks what comes back without replaying it, and says how long it took.

use std::time::{Duration, Instant};

use athanor_net::Client;
use athanor_scoring::{
    ledger::FaultKind,
    transcript::{Failure, Leaf, Times},
};
use athanor_spec::{Answer, Ask, Digest, Finish, Hotkey, Receipt, Signed, SigningContext};

use crate::{
    plan::PlannedAsk,
    round::RoundMiner,
    signer::{Signer, now_ms},
    stall::Stalls,
};

/// Share of an ask's deadline, as its divisor, that this validator may lose itself before a failure counts as its own.
const OWN_SHARE: u32 = 4;

/// What came of an ask, before any replay.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// A well-formed, signed answer from a committed checkpoint.
    Answered {
        /// What was asked and answered.
        receipt: Receipt,
        /// By this validator's socket.
        times: Times,
    },
    /// The miner is to blame: no answer, a refusal, or an answer that breaks the protocol.
    Failed {
        /// What was asked.
        ask: Signed<Ask>,
        /// What went wrong.
        failure: Failure,
        /// By this validator's socket.
        times: Times,
    },
    /// This validator is to blame: the ask counts for nothing.
    OwnTrouble {
        /// In words.
        reason: String,
    },
}

/// What an ask is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds<'a> {
    /// Token ids end here.
    pub(crate) vocab_size: u32,
    /// How long the miner has.
    pub(crate) deadline: Duration,
    /// What of that time this validator lost itself.
    pub(crate) stalls: &'a Stalls,
}

/// Sends the ask and waits for at most `deadline`.
pub(crate) async fn ask(
    client: &Client,
    signer: &Signer,
    miner: &RoundMiner,
    accepted: &[Digest],
    planned: &PlannedAsk,
    bounds: Bounds<'_>,
) -> Observation {
    let Bounds {
        vocab_size,
        deadline,
        stalls,
    } = bounds;
    let request = signer.sign(planned.ask.clone());
    let (begun, lost) = (Instant::now(), stalls.lost());
    let asked = client.ask(&miner.peer, request.clone(), deadline).await;
    let elapsed = begun.elapsed();
    let own = stalls.lost().saturating_sub(lost);
    let times = |first_token: Duration, elapsed: Duration| Times {
        first_token_ms: millis(first_token),
        elapsed_ms: millis(elapsed),
        own_ms: millis(own.min(elapsed)),
    };
    let failed = |reason: &str, fault, answer| Observation::Failed {
        ask: request.clone(),
        failure: Failure {
            reason: Leaf::words(reason.to_owned()),
            fault,
            answer,
        },
        times: times(elapsed, elapsed),
    };
    match asked {
        Ok(observed) => {
            let expected = Expected {
                context: signer.context(),
                hotkey: &miner.account.hotkey,
                accepted,
                vocab_size,
            };
            match check(&expected, &planned.ask, &observed.answer, now_ms()) {
                Ok(()) => Observation::Answered {
                    times: times(observed.first_token, observed.elapsed),
                    receipt: Receipt {
                        ask: request,
                        answer: observed.answer,
                    },
                },
                // A swap that raced with the ask looks the same as a lie about the digest: it fails, but is no fault.
                Err(reason) => {
                    let fault = (reason != NOT_COMMITTED).then_some(FaultKind::BadAnswer);
                    failed(reason, fault, Some(observed.answer))
                }
            }
        }
        Err(error) if !error.blames_peer() => Observation::OwnTrouble {
            reason: error.to_string(),
        },
        Err(error) if own > deadline / OWN_SHARE => Observation::OwnTrouble {
            reason: format!(
                "{error}, but this validator was too busy to look for {} ms",
                own.as_millis()
            ),
        },
        Err(error) => failed(&error.to_string(), None, None),
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

pub(crate) const NOT_COMMITTED: &str =
    "the answer names a checkpoint that was not committed before the round";

/// What an answer must come from.
pub(crate) struct Expected<'a> {
    /// The chain and subnet.
    pub(crate) context: &'a SigningContext,
    /// Who was asked.
    pub(crate) hotkey: &'a Hotkey,
    /// Checkpoints that were committed before the round.
    pub(crate) accepted: &'a [Digest],
    /// Token ids end here.
    pub(crate) vocab_size: u32,
}

/// Everything about an answer that needs no model to check.
pub(crate) fn check(
    expected: &Expected<'_>,
    ask: &Ask,
    signed: &Signed<Answer>,
    now_ms: u64,
) -> Result<(), &'static str> {
    let answer = &signed.payload;
    if signed.signer != *expected.hotkey || signed.verify(expected.context, now_ms).is_err() {
        return Err("the answer is not signed by the hotkey that was asked");
    }
    if answer.request != ask.hash() {
        return Err("the answer is to another ask");
    }
    if !expected.accepted.contains(&answer.checkpoint) {
        return Err(NOT_COMMITTED);
    }
    if answer.tokens.is_empty() || answer.tokens.len() > usize::from(ask.max_new_tokens) {
        return Err("the answer has no tokens, or more than were asked for");
    }
    if answer
        .tokens
        .iter()
        .any(|token| *token >= expected.vocab_size)
    {
        return Err("the answer has a token outside of the vocabulary");
    }
    if answer.finish == Finish::Length && answer.tokens.len() < usize::from(ask.max_new_tokens) {
        return Err("the answer was cut before its end");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use athanor_spec::NetUid;
    use sp_core::{Pair as _, sr25519};

    use super::*;

    const CONTEXT: SigningContext = SigningContext {
        genesis: Digest([1; 32]),
        netuid: NetUid(1),
    };

    fn check_answer(change: impl FnOnce(&mut Answer)) -> Result<(), &'static str> {
        let pair = sr25519::Pair::from_seed(&[2; 32]);
        let hotkey = Hotkey(pair.public().0);
        let ask = Ask {
            prompt: vec![1],
            max_new_tokens: 3,
            temperature_milli: 1000,
            seed: 4,
        };
        let mut answer = Answer {
            request: ask.hash(),
            checkpoint: Digest([9; 32]),
            tokens: vec![5, 6, 7],
            finish: Finish::Length,
        };
        change(&mut answer);
        let signed = Signed::new(&pair, &CONTEXT, answer, now_ms(), 10_000, 0);
        let expected = Expected {
            context: &CONTEXT,
            hotkey: &hotkey,
            accepted: &[Digest([9; 32])],
            vocab_size: 10,
        };
        check(&expected, &ask, &signed, now_ms())
    }

    #[test]
    fn a_well_formed_answer_passes() {
        assert_eq!(check_answer(|_| ()), Ok(()));
        assert_eq!(
            check_answer(|a| (a.tokens, a.finish) = (vec![1], Finish::Stop)),
            Ok(())
        );
    }

    #[test]
    fn an_answer_that_breaks_the_protocol_is_named() {
        let refused = |change: fn(&mut Answer), words: &str| {
            let reason = check_answer(change).unwrap_err();
            assert!(reason.contains(words), "{reason}");
        };
        refused(|a| a.request = Digest([0; 32]), "another ask");
        refused(|a| a.checkpoint = Digest([0; 32]), "not committed");
        refused(|a| a.tokens.clear(), "no tokens");
        refused(|a| a.tokens.push(1), "more than");
        refused(|a| a.tokens[0] = 10, "vocabulary");
        refused(|a| a.tokens.truncate(2), "cut");
    }
}
