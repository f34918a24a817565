//! Streams that peers open: who may hold how many, and what is said on each.
//!
//! Each stream is a task of its own: read one request, hand it to the server, write what the server says. Both the
//! number of streams and the time that a peer may hold one without reading or writing are bounded.

use std::{sync::Arc, time::Duration};

use athanor_spec::{
    Refusal,
    params::Limits,
    wire::{self, AskFrame, BlobRequest, BlobResponse, Request, Response},
};
use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt, io::WriteHalf};
use libp2p::{PeerId, Stream, StreamProtocol};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    CodecError, InboundRequest,
    frame::{self, ReadError},
    outbox::{self, Outbox, Piece},
    slots::Slots,
    streams,
};

/// Streams served at once. A stream costs a task and its buffers, some tens of kilobytes.
const MAX_STREAMS: usize = 1024;
/// Streams of one peer served at once, so that no peer can take them all.
pub(crate) const MAX_STREAMS_PER_PEER: usize = 256;
/// Streams beyond those bounds that are told so at once; more are reset in silence.
const MAX_REFUSALS: usize = 64;
/// How long a peer may take to send its request.
const READ_REQUEST: Duration = Duration::from_secs(10);
/// How long a peer may leave a frame unread before its stream is reset.
const STALLED: Duration = Duration::from_secs(10);
/// Longest life of an exchange, however slowly it is served.
const MAX_EXCHANGE: Duration = Duration::from_secs(300);
/// How long the end of a stream may take to be acknowledged; until then the last frame may not have arrived.
const LINGER: Duration = Duration::from_secs(1);
/// How long a refusal without reading may take.
const REFUSE: Duration = Duration::from_secs(1);
/// Retry hint when this node's queue or streams are full: about one answer of the slowest honest miner.
const RETRY_AFTER_MS: u32 = 250;

/// Which conversation a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ask,
    Blob,
}

impl Kind {
    fn of(protocol: &StreamProtocol) -> Option<Self> {
        match protocol.as_ref() {
            wire::ASK_PROTOCOL => Some(Self::Ask),
            wire::BLOB_PROTOCOL => Some(Self::Blob),
            _ => None,
        }
    }
}

/// The protocols that every node accepts.
pub(crate) fn protocols() -> Vec<StreamProtocol> {
    [wire::ASK_PROTOCOL, wire::BLOB_PROTOCOL]
        .map(StreamProtocol::new)
        .to_vec()
}

/// What a peer did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It sent what is not a message, or more than one.
    Malformed,
    /// It held a stream without using it.
    Stalled,
    /// It opened more streams than it may.
    Flood,
}

/// A fault and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) peer: PeerId,
    pub(crate) fault: Fault,
}

/// Serves streams. Owned by the event loop.
pub(crate) struct Acceptor {
    context: Arc<Context>,
    slots: Slots,
    refusals: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// What the tasks share.
struct Context {
    limits: Limits,
    inbound: mpsc::Sender<InboundRequest>,
    faults: mpsc::Sender<Report>,
    stop: CancellationToken,
}

impl Acceptor {
    pub(crate) fn new(
        limits: Limits,
        inbound: mpsc::Sender<InboundRequest>,
        faults: mpsc::Sender<Report>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            context: Arc::new(Context {
                limits,
                inbound,
                faults,
                stop,
            }),
            slots: Slots::new(MAX_STREAMS, MAX_STREAMS_PER_PEER),
            refusals: Arc::new(Semaphore::new(MAX_REFUSALS)),
            tasks: TaskTracker::new(),
        }
    }

    /// Begins to serve a stream; never waits.
    pub(crate) fn accept(&self, event: streams::Event) {
        let streams::Event {
            peer,
            protocol,
            stream,
        } = event;
        let Some(kind) = Kind::of(&protocol) else {
            return;
        };
        let context = self.context.clone();
        match self.slots.try_take(peer) {
            Some(slot) => drop(self.tasks.spawn(async move {
                context.serve(peer, kind, stream).await;
                drop(slot);
            })),
            None => {
                context.report(peer, Fault::Flood);
                if let Ok(permit) = self.refusals.clone().try_acquire_owned() {
                    drop(self.tasks.spawn(async move {
                        let _ = timeout(REFUSE, refuse(stream, overloaded())).await;
                        drop(permit);
                    }));
                }
            }
        }
    }

    /// Waits until every response that was given has arrived or failed to.
    pub(crate) fn drained(&self) -> impl Future<Output = ()> + Send + 'static {
        self.tasks.close();
        let tasks = self.tasks.clone();
        async move { tasks.wait().await }
    }
}

impl Context {
    /// One exchange, from the request to the acknowledged end.
    async fn serve(&self, peer: PeerId, kind: Kind, stream: Stream) {
        let (mut reader, mut writer) = stream.split();
        let request = match timeout(READ_REQUEST, self.request(kind, &mut reader)).await {
            Ok(Ok(request)) => request,
            Ok(Err(ReadError::Bad(error))) => {
                tracing::debug!(%peer, %error, "a malformed request");
                return self.report(peer, Fault::Malformed);
            }
            // Giving up before asking is nobody's fault.
            Ok(Err(ReadError::Ended(_))) => return,
            Err(_) => return self.report(peer, Fault::Stalled),
        };
        let outbox = self.hand_over(peer, kind, request);
        let end = timeout(
            MAX_EXCHANGE,
            self.carry(kind, outbox, &mut reader, &mut writer),
        );
        if let Ok(Err(fault)) = end.await {
            self.report(peer, fault);
        }
    }

    async fn request(
        &self,
        kind: Kind,
        reader: &mut (impl AsyncRead + Unpin),
    ) -> Result<Request, ReadError> {
        Ok(match kind {
            Kind::Ask => {
                Request::Ask(frame::read(reader, wire::max_ask_bytes(&self.limits)).await?)
            }
            Kind::Blob => match frame::read(reader, wire::MAX_BLOB_REQUEST_BYTES).await? {
                BlobRequest::Fetch(fetch) => Request::Fetch(fetch),
                BlobRequest::Delta(query) => Request::Delta(query),
            },
        })
    }

    /// Queues a request for the server, or refuses it in the server's stead.
    fn hand_over(&self, peer: PeerId, kind: Kind, request: Request) -> Outbox {
        let max_tokens = match kind {
            Kind::Ask => self.limits.max_new_tokens as usize,
            Kind::Blob => 0,
        };
        let (reply, outbox) = outbox::exchange(max_tokens);
        let request = InboundRequest {
            peer,
            request,
            reply,
        };
        if self.stop.is_cancelled() {
            request.reply.send(Response::Refused(Refusal::NotServing));
            return outbox;
        }
        match self.inbound.try_send(request) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(request)) => {
                request.reply.send(Response::Refused(overloaded()));
            }
            Err(mpsc::error::TrySendError::Closed(request)) => {
                request.reply.send(Response::Refused(Refusal::NotServing));
            }
        }
        outbox
    }

    /// Writes what the server says until it ends, or until the peer gives up.
    async fn carry(
        &self,
        kind: Kind,
        mut outbox: Outbox,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut WriteHalf<Stream>,
    ) -> Result<(), Fault> {
        loop {
            let piece = tokio::select! {
                biased;
                piece = outbox.next() => piece,
                gone = given_up(reader) => return gone,
            };
            let (frame, last) = match piece {
                Piece::Tokens(tokens) => (self.tokens_frame(tokens), false),
                Piece::Last(response) => (self.last_frame(kind, *response), true),
                Piece::Abandoned => return Ok(()),
            };
            // Only this node's own server can make a message that breaks the bounds; the peer sees the stream end.
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    tracing::error!(%error, "a response does not fit the protocol");
                    return Ok(());
                }
            };
            match timeout(STALLED, frame::write(writer, &frame)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Ok(()),
                Err(_) => return Err(Fault::Stalled),
            }
            if last {
                // The asker ends its half once it has read the response.
                let _ = timeout(LINGER, async {
                    let _ = writer.close().await;
                    let _ = given_up(reader).await;
                })
                .await;
                return Ok(());
            }
        }
    }

    fn tokens_frame(&self, tokens: Vec<u32>) -> Result<Vec<u8>, CodecError> {
        let bound = wire::max_ask_frame_bytes(&self.limits);
        frame::encode(&AskFrame::Tokens(tokens), bound)
    }

    fn last_frame(&self, kind: Kind, response: Response) -> Result<Vec<u8>, CodecError> {
        let ask = wire::max_ask_frame_bytes(&self.limits);
        let blob = wire::max_blob_response_bytes(&self.limits);
        match (kind, response) {
            (Kind::Ask, Response::Answer(answer)) => frame::encode(&AskFrame::Done(answer), ask),
            (Kind::Ask, Response::Refused(refusal)) => {
                frame::encode(&AskFrame::Refused(refusal), ask)
            }
            (Kind::Blob, Response::Slice(slice)) => {
                frame::encode(&BlobResponse::Slice(slice), blob)
            }
            (Kind::Blob, Response::Delta(offer)) => {
                frame::encode(&BlobResponse::Delta(offer), blob)
            }
            (Kind::Blob, Response::Refused(refusal)) => {
                frame::encode(&BlobResponse::Refused(refusal), blob)
            }
            (Kind::Ask, Response::Slice(_) | Response::Delta(_))
            | (Kind::Blob, Response::Answer(_)) => Err(CodecError::Malformed),
        }
    }

    /// Tells the event loop, which may be busy: then this one fault goes unpunished.
    fn report(&self, peer: PeerId, fault: Fault) {
        let _ = self.faults.try_send(Report { peer, fault });
    }
}

/// Resolves when the peer ended or reset its half; bytes after the request are a fault.
async fn given_up(reader: &mut (impl AsyncRead + Unpin)) -> Result<(), Fault> {
    match reader.read(&mut [0]).await {
        Ok(0) | Err(_) => Ok(()),
        Ok(_) => Err(Fault::Malformed),
    }
}

fn overloaded() -> Refusal {
    Refusal::Overloaded {
        retry_after_ms: RETRY_AFTER_MS,
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
