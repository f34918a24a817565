//! From requests to responses.
//!
//! One task owns the queue and admission. Each admitted ask then waits for the engine in a task of its own; there are
//! never more of those than the engine's queue holds, because the engine refuses the rest at once. Ranges of blobs are
//! read on blocking threads, a few at a time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use athanor_net::{BlobStore, Inbound, InboundRequest, Responder};
use athanor_node::Feed;
use athanor_spec::{
    Answer, Ask, Fetch, Hotkey, Refusal, Signed, SigningContext,
    telemetry::Event,
    wire::{Request, Response},
};
use sp_core::{Pair as _, sr25519};
use tokio::sync::{Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Backend, Behaviour,
    admission::{Admission, Roster},
    deltas::Deltas,
};

/// Ranges read at once: more would only compete for the same disk and memory.
const MAX_READS: usize = 8;
/// Retry hint when that many are being read; one takes milliseconds.
const READ_RETRY_MS: u32 = 50;
/// How long an answer's signature is fresh: longer than any deadline, far shorter than an epoch.
const ANSWER_WINDOW_MS: u64 = 60_000;

/// What tasks that answer need.
pub(crate) struct Server {
    pub(crate) hotkey: sr25519::Pair,
    pub(crate) context: SigningContext,
    pub(crate) backend: Backend,
    pub(crate) behaviour: Behaviour,
    pub(crate) blobs: BlobStore,
    pub(crate) deltas: Deltas,
    pub(crate) feed: Feed,
    pub(crate) nonce: AtomicU64,
}

/// Serves until told to stop, then lets the answers in progress finish.
pub(crate) async fn run(
    server: Arc<Server>,
    mut inbound: Inbound,
    mut admission: Admission,
    roster: watch::Receiver<Arc<Roster>>,
    stop: CancellationToken,
) {
    let tasks = TaskTracker::new();
    let reads = Arc::new(Semaphore::new(MAX_READS));
    loop {
        let InboundRequest { request, reply, .. } = tokio::select! {
            () = stop.cancelled() => break,
            request = inbound.recv() => match request {
                Some(request) => request,
                None => break,
            },
        };
        let roster = roster.borrow().clone();
        let server = server.clone();
        match request {
            Request::Ask(ask) => match admission.ask(&roster, &ask, now_ms()) {
                Ok(()) => drop(tasks.spawn(async move { server.answer(ask, reply).await })),
                Err(refusal) => server.refuse(&ask.signer, refusal, reply),
            },
            Request::Fetch(fetch) => match admission.fetch(&roster, &fetch, now_ms()) {
                Ok(()) => match reads.clone().try_acquire_owned() {
                    Ok(permit) => drop(tasks.spawn(async move {
                        server.read(fetch.payload, reply).await;
                        drop(permit);
                    })),
                    Err(_) => {
                        let refusal = Refusal::Overloaded {
                            retry_after_ms: READ_RETRY_MS,
                        };
                        reply.send(Response::Refused(refusal));
                    }
                },
                Err(refusal) => server.refuse(&fetch.signer, refusal, reply),
            },
            Request::Delta(query) => match admission.delta(&roster, &query, now_ms()) {
                Ok(()) => {
                    let offer = server.deltas.find(&query.payload);
                    let unknown = Response::Refused(Refusal::UnknownBlob);
                    reply.send(offer.map_or(unknown, Response::Delta));
                }
                Err(refusal) => server.refuse(&query.signer, refusal, reply),
            },
        }
    }
    drop(inbound);
    tasks.close();
    tasks.wait().await;
}

impl Server {
    async fn answer(&self, ask: Signed<Ask>, reply: Responder) {
        let request = ask.payload.hash();
        match self.behaviour.draft(ask.payload, &self.backend).await {
            Ok(draft) => {
                let answer = Answer {
                    request,
                    checkpoint: draft.checkpoint,
                    tokens: draft.tokens,
                    finish: draft.finish,
                };
                let nonce = self.nonce.fetch_add(1, Ordering::Relaxed);
                let signed = Signed::new(
                    &self.hotkey,
                    &self.context,
                    answer,
                    now_ms(),
                    ANSWER_WINDOW_MS,
                    nonce,
                );
                reply.send(Response::Answer(signed));
            }
            Err(refusal) => self.refuse(&ask.signer, refusal, reply),
        }
    }

    async fn read(&self, fetch: Fetch, reply: Responder) {
        let blobs = self.blobs.clone();
        let slice = tokio::task::spawn_blocking(move || blobs.slice(&fetch)).await;
        let response = match slice {
            Ok(Ok(slice)) => Response::Slice(slice),
            Ok(Err(refusal)) => Response::Refused(refusal),
            Err(error) => {
                tracing::error!(%error, "reading a blob panicked");
                Response::Refused(Refusal::NotServing)
            }
        };
        reply.send(response);
    }

    /// Tells the asker, and the operator where it is this miner that could not serve.
    fn refuse(&self, asker: &Hotkey, refusal: Refusal, reply: Responder) {
        tracing::debug!(%asker, %refusal, "refused");
        if matches!(refusal, Refusal::Overloaded { .. } | Refusal::NotServing) {
            self.feed.send(Event::RequestFailed {
                miner: Hotkey(self.hotkey.public().0),
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
