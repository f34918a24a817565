//! From requests to responses.
//!
//! One task, the [`front`], owns admission and the queue and never waits for a signature, the engine or a disk: those run
//! in tasks of their own, each kind with a bound, and report back. Asks that were admitted wait in the fair queue until the
//! engine has room; the engine's own queue holds no more than what keeps its slots busy, so that whose turn it is is decided
//! here.

mod front;
mod watermark;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use athanor_chain::Signer;
use athanor_net::{BlobStore, Responder};
use athanor_node::Feed;
use athanor_spec::{
    Answer, Ask, Fetch, Hotkey, Refusal, Signed, SigningContext, telemetry::Event, wire::Response,
};

use crate::{Backend, Behaviour, backend::Drawn, deltas::Deltas, tally::Tally};

pub(crate) use front::Front;
pub(crate) use watermark::Watermark;

/// How long an answer's signature is fresh: longer than any deadline, far shorter than an epoch.
const ANSWER_WINDOW_MS: u64 = 60_000;

/// What tasks that answer need.
pub(crate) struct Server {
    pub(crate) hotkey: Signer,
    pub(crate) context: SigningContext,
    pub(crate) backend: Backend,
    pub(crate) behaviour: Behaviour,
    pub(crate) blobs: BlobStore,
    pub(crate) deltas: Option<Deltas>,
    pub(crate) feed: Feed,
    pub(crate) tally: Arc<Tally>,
    pub(crate) nonce: AtomicU64,
}

impl Server {
    /// Answers an ask; returns the tokens that were drawn for it, `None` if the asker left before the end.
    async fn answer(&self, ask: Signed<Ask>, reply: Responder) -> Option<u32> {
        let request = ask.payload.hash();
        match self
            .behaviour
            .answer(ask.payload, &self.backend, reply)
            .await
        {
            Drawn::Whole(draft, reply) => {
                let drawn = draft.tokens.len();
                let answer = Answer {
                    request,
                    checkpoint: draft.checkpoint,
                    tokens: draft.tokens,
                    finish: draft.finish,
                };
                let nonce = self.nonce.fetch_add(1, Ordering::Relaxed);
                let sealed = self
                    .hotkey
                    .seal(&self.context, answer, now_ms(), ANSWER_WINDOW_MS, nonce)
                    .await;
                match sealed {
                    Ok(signed) => {
                        reply.send(Response::Answer(signed));
                        self.tally.answered(drawn);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "an answer could not be signed");
                        self.refuse(&ask.signer, Refusal::RESTARTING, reply);
                    }
                }
                Some(u32::try_from(drawn).unwrap_or(u32::MAX))
            }
            Drawn::Refused(refusal, reply) => {
                self.refuse(&ask.signer, refusal, reply);
                Some(0)
            }
            Drawn::Left => {
                self.tally.cancelled();
                None
            }
        }
    }

    async fn read(&self, fetch: Fetch, reply: Responder) {
        let blobs = self.blobs.clone();
        let slice = tokio::task::spawn_blocking(move || blobs.slice(&fetch)).await;
        let response = match slice {
            Ok(Ok(slice)) => {
                self.tally.slice();
                Response::Slice(slice)
            }
            Ok(Err(refusal)) => {
                self.tally.refused(&refusal);
                Response::Refused(refusal)
            }
            Err(error) => {
                tracing::error!(%error, "reading a blob panicked");
                self.tally.refused(&Refusal::RESTARTING);
                Response::Refused(Refusal::RESTARTING)
            }
        };
        reply.send(response);
    }

    /// Tells the asker, and the operator where it is this miner that could not serve.
    fn refuse(&self, asker: &Hotkey, refusal: Refusal, reply: Responder) {
        tracing::debug!(%asker, %refusal, "refused");
        self.tally.refused(&refusal);
        if matches!(
            refusal,
            Refusal::Overloaded { .. } | Refusal::NotServing { .. }
        ) {
            self.feed.send(Event::RequestFailed {
                miner: self.hotkey.hotkey(),
                reason: refusal.to_string(),
            });
        }
        reply.send(Response::Refused(refusal));
    }
}

/// Milliseconds since the Unix epoch by this machine's clock.
pub(crate) fn now_ms() -> u64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
