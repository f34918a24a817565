//! One ask from the question to the finding: asked, answered, and, if it is one of those that are opened, replayed.

use std::{future::Future, sync::Arc, time::Duration};

use athanor_model::Checkpoint;
use athanor_net::Client as Net;
use athanor_scoring::{
    ledger::Load,
    round::Purpose,
    transcript::{Leaf, Sight, Times},
};
use athanor_spec::{Digest, Receipt, Round, params::ServiceParams, telemetry::Event};
use futures::future::{BoxFuture, Shared};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    artifacts::ArtifactError,
    ask::{self, Observation},
    audit::{Auditor, Replay, Replayed, TeacherText},
    moment::Moment,
    plan::{Content, PlannedAsk},
    pressure::Pressure,
    round::RoundMiner,
    signer::Signer,
    stall::Stalls,
    teacher::Teacher,
    verdict,
};

/// A checkpoint, or why it could not be had.
pub(crate) type ArtifactResult = Result<Arc<Checkpoint>, Arc<ArtifactError>>;
/// A transfer under way, or its result; whoever needs it waits on the same one.
pub(crate) type SharedArtifact = Shared<BoxFuture<'static, ArtifactResult>>;

/// What came of one ask, on its way into the ledger.
pub(crate) struct Finding {
    pub(crate) round: Round,
    /// `None` if the round ended before the miner was asked.
    pub(crate) leaf: Option<Leaf>,
}

/// What one ask needs.
pub(crate) struct AskContext {
    pub(crate) net: Net,
    pub(crate) signer: Signer,
    pub(crate) auditor: Auditor,
    pub(crate) teacher: Teacher,
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) pressure: Pressure,
    pub(crate) stalls: Stalls,
    pub(crate) vocab_size: u32,
    pub(crate) service: ServiceParams,
    pub(crate) deadline: Duration,
    pub(crate) round: Round,
    pub(crate) miner: RoundMiner,
    pub(crate) accepted: Vec<(Digest, SharedArtifact)>,
    /// When the round takes no more: whatever is under way then is written down as it stands.
    pub(crate) over: CancellationToken,
}

impl AskContext {
    /// Asks, waits for the answer, and audits it if the ask is opened. Whatever fails on this side is neutral for the miner.
    /// `moment` is that of the load probe of all miners, if the ask belongs to it.
    pub(crate) async fn conduct(
        self,
        planned: PlannedAsk,
        moment: Option<Moment>,
        notify: impl Fn(Event),
    ) -> Finding {
        let (index, shared) = (planned.index, planned.shared);
        let Some(sight) = self.look(planned, moment.as_ref(), &notify).await else {
            return Finding {
                round: self.round,
                leaf: None,
            };
        };
        let (validator, miner) = (self.signer.hotkey(), self.miner.account.hotkey);
        let (round, count) = (self.round, |tokens: usize| {
            u32::try_from(tokens).unwrap_or(u32::MAX)
        });
        match &sight {
            Sight::OwnTrouble { reason, .. } => {
                tracing::warn!(uid = %self.miner.uid, index, reason, "an ask counts for nothing");
                notify(Event::AskVoid {
                    validator,
                    miner,
                    round,
                    index,
                    reason: reason.clone(),
                });
            }
            Sight::Answered { tokens, .. } => notify(Event::Opened {
                validator,
                miner,
                round,
                index,
                tokens: count(tokens.len()),
                strays: count(tokens.iter().filter(|token| token.margin > 0.0).count()),
            }),
            Sight::Failed { .. } | Sight::Unopened { .. } | Sight::FailedUnopened { .. } => {}
        }
        Finding {
            round: self.round,
            leaf: Some(Leaf {
                account: self.miner.account,
                purpose: Purpose::Audit,
                index,
                shared,
                sight,
            }),
        }
    }

    /// Audits what a miner answered to a user, who consented: it is evidence about the miner's checkpoint, and nothing else.
    pub(crate) async fn recheck(self, receipt: Receipt, times: Times) -> Finding {
        let ask = receipt.ask.payload.clone();
        // A place of its own in the transcript, also after a restart.
        let [a, b, c, d, ..] = receipt.answer.payload.request.0;
        let index = u32::from_le_bytes([a, b, c, d]);
        let planned = PlannedAsk {
            miner: self.miner.account.hotkey,
            uid: self.miner.uid,
            index,
            shared: None,
            load: None,
            block_offset: 0,
            reference_seed: !ask.seed,
            opened: true,
            ask,
            content: Content::Continuation,
        };
        let continuation = async {
            let _permit = self.in_flight.acquire().await.ok()?;
            self.teacher.continuation(&planned).await
        };
        let reference = self.in_time(continuation).await;
        let sight = match reference {
            Some(Some(reference)) => {
                self.audit(planned, receipt, (times, Load::Alone), reference)
                    .await
            }
            Some(None) => own_trouble(NO_CONTINUATION, Some(receipt)),
            None => own_trouble(NOT_JUDGED, Some(receipt)),
        };
        Finding {
            round: self.round,
            leaf: Some(Leaf {
                account: self.miner.account,
                purpose: Purpose::Organic,
                index,
                shared: None,
                sight,
            }),
        }
    }

    /// What comes of something, if it comes before the round is over.
    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.over.cancelled() => None,
        }
    }

    /// `None` if the round ended before the miner was asked.
    async fn look(
        &self,
        planned: PlannedAsk,
        moment: Option<&Moment>,
        notify: &impl Fn(Event),
    ) -> Option<Sight> {
        // The asks of a load probe go out together, whatever else is under way.
        let permit = match planned.load {
            Some(_) => None,
            None => Some(self.in_time(self.in_flight.acquire()).await?.ok()?),
        };
        if self.over.is_cancelled() {
            return None;
        }
        let (validator, miner) = (self.signer.hotkey(), self.miner.account.hotkey);
        let (round, index) = (self.round, planned.index);
        notify(Event::Asked {
            validator,
            miner,
            round,
            index,
        });
        let exchange = self.pressure.begin(miner);
        let accepted: Vec<Digest> = self.accepted.iter().map(|(digest, _)| *digest).collect();
        // What is not opened costs the teacher nothing.
        let continuation = async {
            match planned.opened {
                true => self.teacher.continuation(&planned).await,
                false => None,
            }
        };
        let asked = ask::ask(
            &self.net,
            &self.signer,
            &self.miner,
            &accepted,
            &planned,
            ask::Bounds {
                vocab_size: self.vocab_size,
                deadline: self.deadline,
                stalls: &self.stalls,
                moment,
            },
        );
        let (observation, reference) =
            tokio::join!(self.in_time(asked), self.in_time(continuation));
        // Others are asked while this one waits for its replay: what a miner is asked, and when, must not hang on how fast
        // this machine replays, and what waits together is replayed together.
        drop(permit);
        let Some(observation) = observation else {
            return Some(own_trouble(NOT_ANSWERED, None));
        };
        if let (Observation::Answered { times, .. }, None) = (&observation, planned.load) {
            exchange.first_token(Duration::from_millis(times.first_token_ms.into()));
        }
        drop(exchange);
        if let Observation::Answered { times, receipt, .. } = &observation {
            notify(Event::Answered {
                validator,
                miner,
                round,
                index,
                first_token_ms: times.first_token_ms,
                elapsed_ms: times.elapsed_ms,
                tokens: u32::try_from(receipt.answer.payload.tokens.len()).unwrap_or(u32::MAX),
            });
        }
        if let Observation::Failed { failure, .. } = &observation {
            tracing::debug!(uid = %self.miner.uid, reason = failure.reason, "ask failed");
            notify(Event::AskFailed {
                validator,
                miner,
                reason: failure.reason.clone(),
            });
        }
        if !planned.opened {
            return Some(self.leave_closed(observation, planned.load));
        }
        let reference = match reference {
            Some(Some(reference)) => Ok(reference),
            Some(None) => Err(NO_CONTINUATION),
            None => Err(NOT_JUDGED),
        };
        Some(match (observation, reference) {
            (
                Observation::Answered {
                    receipt,
                    times,
                    load,
                },
                Ok(reference),
            ) => self.audit(planned, receipt, (times, load), reference).await,
            (
                Observation::Failed {
                    ask,
                    failure,
                    times,
                },
                Ok(reference),
            ) => {
                let missing = self.auditor.missing(planned, reference.clone());
                match self.in_time(missing).await {
                    Some(Ok(outcome)) => Sight::Failed {
                        ask,
                        failure,
                        times,
                        reference,
                        outcome,
                    },
                    Some(Err(error)) => own_trouble(&error.to_string(), None),
                    None => own_trouble(NOT_JUDGED, None),
                }
            }
            (Observation::OwnTrouble { reason }, Ok(_)) => own_trouble(&reason, None),
            (Observation::Answered { receipt, .. }, Err(reason)) => {
                own_trouble(reason, Some(receipt))
            }
            (Observation::Failed { .. } | Observation::OwnTrouble { .. }, Err(reason)) => {
                own_trouble(reason, None)
            }
        })
    }

    /// What an ask shows that is not opened: its form, which was checked, and its time.
    fn leave_closed(&self, observation: Observation, probe: Option<u32>) -> Sight {
        match observation {
            Observation::Answered {
                receipt,
                times,
                load,
            } => Sight::Unopened {
                outcome: verdict::unopened(
                    Some(&receipt.answer.payload),
                    &times,
                    load,
                    &self.service,
                ),
                receipt,
                times,
            },
            Observation::Failed {
                ask,
                failure,
                times,
            } => Sight::FailedUnopened {
                outcome: verdict::unopened(None, &times, missed(probe), &self.service),
                ask,
                failure,
                times,
            },
            Observation::OwnTrouble { reason } => own_trouble(&reason, None),
        }
    }

    async fn audit(
        &self,
        planned: PlannedAsk,
        receipt: Receipt,
        (times, load): (Times, Load),
        reference: TeacherText,
    ) -> Sight {
        let answer = receipt.answer.payload.clone();
        let of_answer = |(digest, _): &&(Digest, SharedArtifact)| *digest == answer.checkpoint;
        let Some((_, artifact)) = self.accepted.iter().find(of_answer) else {
            return own_trouble(
                "the answer's checkpoint is not one of the round",
                Some(receipt),
            );
        };
        let checkpoint = match self.in_time(artifact.clone()).await {
            Some(Ok(checkpoint)) => checkpoint,
            Some(Err(error)) => {
                let reason = format!("{NO_CHECKPOINT}: {error}");
                return own_trouble(&reason, Some(receipt));
            }
            None => {
                let reason = format!("{NO_CHECKPOINT}: its transfer took too long");
                return own_trouble(&reason, Some(receipt));
            }
        };
        let replay = Replay {
            planned,
            answer,
            times,
            load,
            checkpoint,
            reference: reference.clone(),
        };
        match self.in_time(self.auditor.replay(replay)).await {
            Some(Ok(Replayed { outcome, tokens })) => Sight::Answered {
                receipt,
                times,
                reference,
                tokens,
                outcome,
            },
            Some(Err(error)) => own_trouble(&error.to_string(), Some(receipt)),
            None => own_trouble(NOT_JUDGED, Some(receipt)),
        }
    }
}

/// Why an ask counts for nothing whose answer came in time.
const NOT_JUDGED: &str =
    "not judged: this validator did not come to its replay before the end of the round";
/// Why an ask counts for nothing that was under way at the end.
const NOT_ANSWERED: &str = "the round ended before the answer came";
/// Why an opened ask counts for nothing without the teacher's text.
const NO_CONTINUATION: &str = "the teacher did not continue the prompt";

/// How the reason begins why an answer without its checkpoint counts for nothing: neutral, but no trouble of this machine.
const NO_CHECKPOINT: &str = "the checkpoint is not at hand";

impl Finding {
    /// Whether the ask was lost for something that this validator's operator can mend.
    pub(crate) fn is_own_trouble(&self) -> bool {
        match self.leaf.as_ref().map(|leaf| &leaf.sight) {
            Some(Sight::OwnTrouble { reason, .. }) => !reason.starts_with(NO_CHECKPOINT),
            // Never asked, for want of time.
            None => true,
            Some(
                Sight::Failed { .. }
                | Sight::Answered { .. }
                | Sight::Unopened { .. }
                | Sight::FailedUnopened { .. },
            ) => false,
        }
    }
}

/// What an ask came under to which no usable answer came: nothing was there at any moment.
fn missed(probe: Option<u32>) -> Load {
    probe.map_or(Load::Alone, |probe| Load::Probe { probe })
}

fn own_trouble(reason: &str, receipt: Option<Receipt>) -> Sight {
    Sight::OwnTrouble {
        reason: Leaf::words(reason.to_owned()),
        receipt,
    }
}
