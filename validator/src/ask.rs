//! Sends one ask, checks what comes back without replaying it, and says how long it took.

use std::time::{Duration, Instant};

use athanor_net::{Client, Observed};
use athanor_scoring::{
    ledger::{FaultKind, Load},
    transcript::{Failure, Leaf, Times},
};
use athanor_spec::{
    Answer, Ask, Digest, Finish, Hotkey, Receipt, Signed, SigningContext, envelope::EnvelopeError,
};
use thiserror::Error;

use crate::{
    moment::Moment,
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
        /// What else the miner was asked at the same time, and what was there by the probe's moment.
        load: Load,
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
    /// The moment of the load probe that loads all miners, if the ask belongs to it.
    pub(crate) moment: Option<&'a Moment>,
}

/// What is wrong with an answer, as far as that can be told without a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AnswerFlaw {
    /// Signed by another key.
    #[error("the answer is signed by {signer}, not by the hotkey that was asked")]
    Signer {
        /// The key that it names.
        signer: Hotkey,
    },
    /// The signature is absent or forged, or was made for something else.
    #[error("the answer is not signed by the hotkey that was asked: {0}")]
    Signature(EnvelopeError),
    /// Signed in time, by a clock that is far from this validator's.
    #[error("the answer is outside its time window by this validator's clock")]
    Window,
    /// An answer to something else.
    #[error("the answer is to another ask")]
    AnotherAsk,
    /// From a checkpoint that the round does not know.
    #[error("the answer names checkpoint {}, which was not committed before the round", checkpoint.short())]
    NotCommitted {
        /// The checkpoint that it names.
        checkpoint: Digest,
    },
    /// Without tokens, or with too many.
    #[error("the answer has {found} tokens, where 1 to {allowed} were asked for")]
    Length {
        /// Its tokens.
        found: usize,
        /// The most that were asked for.
        allowed: u16,
    },
    /// With a token that no model of the subnet can draw.
    #[error("the answer has token {token}, outside of the vocabulary of {vocab_size}")]
    Vocabulary {
        /// The first such token.
        token: u32,
        /// `subnet.vocab_size`.
        vocab_size: u32,
    },
    /// It says that it ran into its limit, and did not.
    #[error("the answer was cut after {found} tokens, before its end and its limit of {limit}")]
    Cut {
        /// Its tokens.
        found: usize,
        /// Its limit.
        limit: u16,
    },
}

impl AnswerFlaw {
    /// Whether the answer as it was signed shows the miner's fault to anybody. What is not signed by the miner proves
    /// nothing; two clocks that disagree do not say which of them is wrong; and a swap that raced with the ask looks the
    /// same as a lie about the checkpoint.
    pub fn is_provable(&self) -> bool {
        match self {
            Self::Signer { .. } | Self::Signature(_) | Self::Window | Self::NotCommitted { .. } => {
                false
            }
            Self::AnotherAsk | Self::Length { .. } | Self::Vocabulary { .. } | Self::Cut { .. } => {
                true
            }
        }
    }
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
        moment,
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
                    load: load(planned.load, moment, &observed).await,
                    times: times(observed.first_token, observed.elapsed),
                    receipt: Receipt {
                        ask: request,
                        answer: observed.answer,
                    },
                },
                Err(flaw) => {
                    let fault = flaw.is_provable().then_some(FaultKind::BadAnswer);
                    failed(&flaw.to_string(), fault, Some(observed.answer))
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

/// What an answer came under: in the probe of all miners, how much of it was there by their common moment.
async fn load(probe: Option<u32>, moment: Option<&Moment>, observed: &Observed) -> Load {
    match (probe, moment) {
        (None, _) => Load::Alone,
        (Some(probe), None) => Load::Probe { probe },
        (Some(probe), Some(moment)) => Load::Counted {
            probe,
            arrived: moment.arrived(observed).await,
        },
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

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

/// Everything about an answer that needs no model to check. What anybody could have sent comes first: a flaw that blames
/// the miner is told only of what the miner signed.
pub(crate) fn check(
    expected: &Expected<'_>,
    ask: &Ask,
    signed: &Signed<Answer>,
    now_ms: u64,
) -> Result<(), AnswerFlaw> {
    let answer = &signed.payload;
    let vocab_size = expected.vocab_size;
    if signed.signer != *expected.hotkey {
        return Err(AnswerFlaw::Signer {
            signer: signed.signer,
        });
    }
    signed
        .verify_signature(expected.context)
        .map_err(AnswerFlaw::Signature)?;
    signed
        .check_window(now_ms)
        .map_err(|_| AnswerFlaw::Window)?;
    if answer.request != ask.hash() {
        return Err(AnswerFlaw::AnotherAsk);
    }
    let (found, allowed) = (answer.tokens.len(), ask.max_new_tokens);
    if found == 0 || found > usize::from(allowed) {
        return Err(AnswerFlaw::Length { found, allowed });
    }
    if let Some(&token) = answer.tokens.iter().find(|token| **token >= vocab_size) {
        return Err(AnswerFlaw::Vocabulary { token, vocab_size });
    }
    if answer.finish == Finish::Length && found < usize::from(allowed) {
        return Err(AnswerFlaw::Cut {
            found,
            limit: allowed,
        });
    }
    // Last: the other flaws are faults whatever checkpoint is named.
    if !expected.accepted.contains(&answer.checkpoint) {
        return Err(AnswerFlaw::NotCommitted {
            checkpoint: answer.checkpoint,
        });
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

    /// What `check` says of an answer that was changed before it was signed, and of one changed afterwards.
    fn checked(
        change: impl FnOnce(&mut Answer),
        tamper: impl FnOnce(&mut Signed<Answer>),
    ) -> Result<(), AnswerFlaw> {
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
        let mut signed = Signed::new(&pair, &CONTEXT, answer, now_ms(), 10_000, 0);
        tamper(&mut signed);
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
        assert_eq!(checked(|_| (), |_| ()), Ok(()));
        assert_eq!(
            checked(|a| (a.tokens, a.finish) = (vec![1], Finish::Stop), |_| ()),
            Ok(())
        );
    }

    #[test]
    fn nonsense_under_a_valid_signature_is_a_named_fault() {
        let flaw = |change: fn(&mut Answer)| {
            let flaw = checked(change, |_| ()).unwrap_err();
            assert!(flaw.is_provable(), "{flaw}");
            flaw
        };
        assert_eq!(
            flaw(|a| a.request = Digest([0; 32])),
            AnswerFlaw::AnotherAsk
        );
        let length = |found| AnswerFlaw::Length { found, allowed: 3 };
        assert_eq!(flaw(|a| a.tokens.clear()), length(0));
        assert_eq!(flaw(|a| a.tokens.push(1)), length(4));
        assert_eq!(
            flaw(|a| a.tokens[1] = 10),
            AnswerFlaw::Vocabulary {
                token: 10,
                vocab_size: 10
            }
        );
        assert_eq!(
            flaw(|a| a.tokens.truncate(2)),
            AnswerFlaw::Cut { found: 2, limit: 3 }
        );
        // A checkpoint that nobody committed to does not excuse the rest.
        assert_eq!(
            flaw(|a| (a.checkpoint, a.tokens) = (Digest([0; 32]), vec![])),
            length(0)
        );
    }

    #[test]
    fn what_the_miner_did_not_sign_or_may_not_have_known_fails_without_a_fault() {
        let flaw = |change: fn(&mut Answer), tamper: fn(&mut Signed<Answer>)| {
            let flaw = checked(change, tamper).unwrap_err();
            assert!(!flaw.is_provable(), "{flaw}");
            flaw
        };
        let foreign = Digest([0; 32]);
        assert_eq!(
            flaw(|a| a.checkpoint = Digest([0; 32]), |_| ()),
            AnswerFlaw::NotCommitted {
                checkpoint: foreign
            }
        );
        let forged = AnswerFlaw::Signature(EnvelopeError::BadSignature);
        assert_eq!(flaw(|_| (), |s| s.signature = [0; 64]), forged);
        assert_eq!(flaw(|_| (), |s| s.payload.tokens.clear()), forged);
        assert_eq!(
            flaw(|_| (), |s| s.signer = Hotkey([7; 32])),
            AnswerFlaw::Signer {
                signer: Hotkey([7; 32])
            }
        );
        // By its own clock the miner signed an hour ago.
        let pair = sr25519::Pair::from_seed(&[2; 32]);
        let late = checked(
            |_| (),
            |s| {
                *s = Signed::new(
                    &pair,
                    &CONTEXT,
                    s.payload.clone(),
                    now_ms() - 3_600_000,
                    10_000,
                    0,
                );
            },
        );
        assert_eq!(late, Err(AnswerFlaw::Window));
        assert!(!AnswerFlaw::Window.is_provable());
    }
}
