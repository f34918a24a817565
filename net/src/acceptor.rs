//! Streams that peers open: who may hold how many.
//!
//! Each stream is a task of its own, see [`crate::exchange`]. A peer that opens more than it may is told so, and counts.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use athanor_spec::{
    Refusal,
    wire::{self, AskFrame},
};
use futures::AsyncWriteExt;
use libp2p::{Stream, StreamProtocol};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::task::TaskTracker;

use crate::{
    allowance::Allowances,
    exchange::{self, Exchange, Question, RETRY_AFTER, overloaded},
    frame,
    penalties::Fault,
    slots::{Full, Slots},
    streams,
};

/// Streams served at once. A stream costs a task and its buffers, some tens of kilobytes.
const MAX_STREAMS: usize = 1024;
/// Streams of one peer served at once, so that no peer can take them all.
pub(crate) const MAX_STREAMS_PER_PEER: usize = 256;
/// Streams beyond those bounds that are told so at once; more are reset in silence.
const MAX_REFUSALS: usize = 64;
/// How long a refusal without reading may take.
const REFUSE: Duration = Duration::from_secs(1);
/// Which conversation a stream carries.
enum Kind {
    Exchange(Exchange),
    Question(Question),
}

impl Kind {
    fn of(protocol: &StreamProtocol) -> Option<Self> {
        match protocol.as_ref() {
            wire::ASK_PROTOCOL => Some(Self::Exchange(Exchange::Ask)),
            wire::BLOB_PROTOCOL => Some(Self::Exchange(Exchange::Blob)),
            wire::STATUS_PROTOCOL => Some(Self::Question(Question::Status)),
            wire::SPEC_PROTOCOL => Some(Self::Question(Question::Spec)),
            wire::TRANSCRIPT_PROTOCOL => Some(Self::Question(Question::Transcript)),
            _ => None,
        }
    }
}

/// The protocols that every node accepts.
pub(crate) fn protocols() -> Vec<StreamProtocol> {
    [
        wire::ASK_PROTOCOL,
        wire::BLOB_PROTOCOL,
        wire::STATUS_PROTOCOL,
        wire::SPEC_PROTOCOL,
        wire::TRANSCRIPT_PROTOCOL,
    ]
    .map(StreamProtocol::new)
    .to_vec()
}

/// Serves streams. Owned by the event loop.
pub(crate) struct Acceptor {
    context: Arc<exchange::Context>,
    slots: Slots,
    refusals: Arc<Semaphore>,
    allowances: Allowances,
    tasks: TaskTracker,
}

impl Acceptor {
    pub(crate) fn new(context: exchange::Context) -> Self {
        Self {
            context: Arc::new(context),
            slots: Slots::new(MAX_STREAMS, MAX_STREAMS_PER_PEER),
            refusals: Arc::new(Semaphore::new(MAX_REFUSALS)),
            allowances: Allowances::default(),
            tasks: TaskTracker::new(),
        }
    }

    /// Begins to serve a stream; never waits.
    pub(crate) fn accept(&mut self, inbound: streams::Inbound) {
        let streams::Inbound {
            peer,
            protocol,
            stream,
        } = inbound;
        let Some(kind) = Kind::of(&protocol) else {
            return;
        };
        let context = self.context.clone();
        let slot = match self.slots.try_take(peer) {
            Ok(slot) => slot,
            Err(full) => {
                if full == Full::Peer {
                    context.report(peer, Fault::Flood);
                }
                return self.refuse(stream, overloaded(RETRY_AFTER));
            }
        };
        match kind {
            Kind::Exchange(kind) => drop(self.tasks.spawn(async move {
                context.serve(peer, kind, stream).await;
                drop(slot);
            })),
            // Nobody has to sign these, so a peer has a small allowance.
            Kind::Question(kind) => match self.allowances.take(peer, Instant::now()) {
                Ok(()) => drop(self.tasks.spawn(async move {
                    context.describe(peer, kind, stream).await;
                    drop(slot);
                })),
                Err(wait) => self.refuse(stream, overloaded(wait)),
            },
        }
    }

    /// Refuses without reading, unless too many are being refused already.
    fn refuse(&self, stream: Stream, refusal: Refusal) {
        if let Ok(permit) = self.refusals.clone().try_acquire_owned() {
            drop(self.tasks.spawn(async move {
                let _ = timeout(REFUSE, refuse(stream, refusal)).await;
                drop(permit);
            }));
        }
    }

    /// Waits until every response that was given has arrived or failed to.
    pub(crate) fn drained(&self) -> impl Future<Output = ()> + Send + 'static {
        self.tasks.close();
        let tasks = self.tasks.clone();
        async move { tasks.wait().await }
    }
}

/// Refuses without reading. The first variant of every protocol's response is its refusal, so the bytes are the same.
async fn refuse(mut stream: Stream, refusal: Refusal) {
    if let Ok(frame) = frame::encode(&AskFrame::Refused(refusal), u64::MAX)
        && frame::write(&mut stream, &frame).await.is_ok()
    {
        let _ = stream.close().await;
    }
}
