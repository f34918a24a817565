//! One ask from the question to the finding: asked, answered, replayed.

use std::{sync::Arc, time::Duration};

use athanor_model::Checkpoint;
use athanor_net::Client as Net;
use athanor_scoring::ledger::{AskOutcome, Fault, FaultKind};
use athanor_spec::{Digest, Round, telemetry::Event};
use futures::future::{BoxFuture, Shared};
use tokio::sync::Semaphore;

use crate::{
    artifacts::ArtifactError,
    ask::{self, Observation},
    audit::{AuditError, Auditor, Replay},
    book::Account,
    plan::PlannedAsk,
    round::RoundMiner,
    signer::Signer,
    teacher::Teacher,
};

/// A checkpoint, or why it could not be had.
pub(crate) type ArtifactResult = Result<Arc<Checkpoint>, Arc<ArtifactError>>;
/// A transfer under way, or its result; whoever needs it waits on the same one.
pub(crate) type SharedArtifact = Shared<BoxFuture<'static, ArtifactResult>>;

/// What came of one ask, on its way into the ledger.
pub(crate) struct Finding {
    pub(crate) account: Account,
    pub(crate) round: Round,
    pub(crate) index: u32,
    /// `None` when this validator was in trouble itself.
    pub(crate) outcome: Option<AskOutcome>,
    /// Provable misbehaviour that came with it.
    pub(crate) fault: Option<Fault>,
}

/// What one ask needs.
pub(crate) struct AskContext {
    pub(crate) net: Net,
    pub(crate) signer: Signer,
    pub(crate) auditor: Auditor,
    pub(crate) teacher: Teacher,
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) vocab_size: u32,
    pub(crate) deadline: Duration,
    pub(crate) round: Round,
    pub(crate) miner: RoundMiner,
    pub(crate) accepted: Vec<(Digest, SharedArtifact)>,
}

impl AskContext {
    /// Asks, waits for the answer, and audits it. Whatever fails on this side leaves the outcome empty.
    pub(crate) async fn conduct(self, planned: PlannedAsk, notify: impl Fn(Event)) -> Finding {
        let mut finding = Finding {
            account: self.miner.account,
            round: self.round,
            index: planned.index,
            outcome: None,
            fault: None,
        };
        let Ok(_permit) = self.in_flight.acquire().await else {
            return finding;
        };
        let accepted: Vec<Digest> = self.accepted.iter().map(|(digest, _)| *digest).collect();
        let (observation, reference) = tokio::join!(
            ask::ask(
                &self.net,
                &self.signer,
                &self.miner,
                &accepted,
                &planned,
                self.vocab_size,
                self.deadline
            ),
            self.teacher.continuation(&planned),
        );
        let Some(reference) = reference else {
            tracing::warn!("the teacher did not continue a prompt; the ask counts for nothing");
            return finding;
        };
        match observation {
            Observation::Answered { answer, elapsed } => {
                let artifact = self
                    .accepted
                    .iter()
                    .find(|(digest, _)| *digest == answer.checkpoint)
                    .map(|(_, a)| a);
                let Some(artifact) = artifact.cloned() else {
                    return finding;
                };
                match artifact.await {
                    Ok(checkpoint) => {
                        let replay = Replay {
                            planned,
                            answer,
                            elapsed,
                            checkpoint,
                            reference,
                        };
                        finding.outcome = self.keep(self.auditor.replay(replay).await);
                    }
                    Err(error) => {
                        tracing::debug!(uid = %self.miner.uid, %error, "no artifact: the answer is not audited");
                    }
                }
            }
            Observation::Failed { reason, provable } => {
                tracing::debug!(uid = %self.miner.uid, reason, "ask failed");
                notify(Event::AskFailed {
                    validator: self.signer.hotkey(),
                    miner: self.miner.account.hotkey,
                    reason: reason.clone(),
                });
                if provable {
                    finding.fault = Some(Fault {
                        kind: FaultKind::BadAnswer,
                        evidence: reason,
                    });
                }
                finding.outcome = self.keep(self.auditor.missing(planned, reference).await);
            }
            Observation::OwnTrouble { reason } => {
                tracing::warn!(reason, "an ask was not sent; it counts for nothing");
            }
        }
        finding
    }

    fn keep(&self, outcome: Result<AskOutcome, AuditError>) -> Option<AskOutcome> {
        match outcome {
            Ok(outcome) => Some(outcome),
            Err(error) => {
                tracing::error!(%error, "a replay failed; the ask counts for nothing");
                None
            }
        }
    }
}
