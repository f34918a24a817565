//! What is said on one stream that a peer opened.
//!
//! Read one request, hand it to the server, write what the server says. The time that a peer may hold a stream without
//! reading or writing is bounded.

use std::time::Duration;

use athanor_spec::{
    Refusal,
    params::Limits,
    wire::{
        self, AskFrame, BlobRequest, BlobResponse, Request, Response, SpecQuery, SpecResponse,
        StatusQuery, StatusResponse, TranscriptQuery, TranscriptResponse,
    },
};
use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt, io::WriteHalf};
use libp2p::{PeerId, Stream};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    CodecError, InboundRequest,
    frame::{self, ReadError},
    outbox::{self, Outbox, Piece},
    penalties::Fault,
    status::About,
};

/// How long a peer may take to send its request.
const READ_REQUEST: Duration = Duration::from_secs(10);
/// How long a peer may leave a frame unread before its stream is reset.
const STALLED: Duration = Duration::from_secs(10);
/// Longest life of an exchange, however slowly it is served.
const MAX_EXCHANGE: Duration = Duration::from_secs(300);
/// How long the end of a stream may take to be acknowledged; until then the last frame may not have arrived.
const LINGER: Duration = Duration::from_secs(1);
/// Retry hint when this node's queue or streams are full: about one answer of the slowest honest miner.
pub(crate) const RETRY_AFTER: Duration = Duration::from_millis(250);

/// An exchange that the node's server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    Ask,
    Blob,
}

/// A question that the network answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Status,
    Spec,
    Transcript,
}

/// A fault and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) peer: PeerId,
    pub(crate) fault: Fault,
}

/// What the tasks share.
pub(crate) struct Context {
    pub(crate) limits: Limits,
    pub(crate) about: About,
    pub(crate) inbound: mpsc::Sender<InboundRequest>,
    pub(crate) faults: mpsc::Sender<Report>,
    pub(crate) stop: CancellationToken,
}

impl Context {
    /// One exchange, from the request to the acknowledged end.
    pub(crate) async fn serve(&self, peer: PeerId, kind: Exchange, stream: Stream) {
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

    /// Answers what this node can say without its server.
    pub(crate) async fn describe(&self, peer: PeerId, kind: Question, mut stream: Stream) {
        let said = timeout(READ_REQUEST, async {
            let frame = match kind {
                Question::Spec => {
                    let query: SpecQuery = frame::read(&mut stream, wire::MAX_STATUS_BYTES).await?;
                    let unknown = SpecResponse::Refused(Refusal::UnknownBlob);
                    let found = self.about.spec(&query.digest).map(SpecResponse::Toml);
                    frame::encode(&found.unwrap_or(unknown), wire::MAX_SPEC_BYTES)?
                }
                Question::Transcript => {
                    let query: TranscriptQuery =
                        frame::read(&mut stream, wire::MAX_TRANSCRIPT_OFFER_BYTES).await?;
                    let unknown = TranscriptResponse::Refused(Refusal::UnknownBlob);
                    let found = self.about.transcript(query.round);
                    let response = found.map_or(unknown, TranscriptResponse::Offer);
                    frame::encode(&response, wire::MAX_TRANSCRIPT_OFFER_BYTES)?
                }
                Question::Status => {
                    let _: StatusQuery = frame::read(&mut stream, wire::MAX_STATUS_BYTES).await?;
                    let status = StatusResponse::Status(self.about.status());
                    frame::encode(&status, wire::MAX_STATUS_BYTES)?
                }
            };
            frame::write(&mut stream, &frame).await?;
            Ok(stream.close().await?)
        });
        match said.await {
            Ok(Ok(()) | Err(ReadError::Ended(_))) => {}
            Ok(Err(ReadError::Bad(error))) => {
                tracing::debug!(%peer, %error, "a malformed question");
                self.report(peer, Fault::Malformed);
            }
            Err(_) => self.report(peer, Fault::Stalled),
        }
    }

    async fn request(
        &self,
        kind: Exchange,
        reader: &mut (impl AsyncRead + Unpin),
    ) -> Result<Request, ReadError> {
        Ok(match kind {
            Exchange::Ask => {
                Request::Ask(frame::read(reader, wire::max_ask_bytes(&self.limits)).await?)
            }
            Exchange::Blob => match frame::read(reader, wire::MAX_BLOB_REQUEST_BYTES).await? {
                BlobRequest::Fetch(fetch) => Request::Fetch(fetch),
                BlobRequest::Delta(query) => Request::Delta(query),
            },
        })
    }

    /// Queues a request for the server, or refuses it in the server's stead.
    fn hand_over(&self, peer: PeerId, kind: Exchange, request: Request) -> Outbox {
        let max_tokens = match kind {
            Exchange::Ask => self.limits.max_new_tokens as usize,
            Exchange::Blob => 0,
        };
        let (reply, outbox) = outbox::exchange(max_tokens);
        let request = InboundRequest {
            peer,
            request,
            reply,
        };
        if self.stop.is_cancelled() {
            request.reply.send(Response::Refused(Refusal::RESTARTING));
            return outbox;
        }
        match self.inbound.try_send(request) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(request)) => {
                request
                    .reply
                    .send(Response::Refused(overloaded(RETRY_AFTER)));
            }
            Err(mpsc::error::TrySendError::Closed(request)) => {
                request.reply.send(Response::Refused(Refusal::RESTARTING));
            }
        }
        outbox
    }

    /// Writes what the server says until it ends, or until the peer gives up.
    async fn carry(
        &self,
        kind: Exchange,
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

    fn last_frame(&self, kind: Exchange, response: Response) -> Result<Vec<u8>, CodecError> {
        let ask = wire::max_ask_frame_bytes(&self.limits);
        let blob = wire::max_blob_response_bytes(&self.limits);
        match (kind, response) {
            (Exchange::Ask, Response::Answer(answer)) => {
                frame::encode(&AskFrame::Done(answer), ask)
            }
            (Exchange::Ask, Response::Refused(refusal)) => {
                frame::encode(&AskFrame::Refused(refusal), ask)
            }
            (Exchange::Blob, Response::Slice(slice)) => {
                frame::encode(&BlobResponse::Slice(slice), blob)
            }
            (Exchange::Blob, Response::Delta(offer)) => {
                frame::encode(&BlobResponse::Delta(offer), blob)
            }
            (Exchange::Blob, Response::Refused(refusal)) => {
                frame::encode(&BlobResponse::Refused(refusal), blob)
            }
            (Exchange::Ask, Response::Slice(_) | Response::Delta(_))
            | (Exchange::Blob, Response::Answer(_)) => Err(CodecError::Malformed),
        }
    }

    /// Tells the event loop, which may be busy: then this one fault goes unpunished.
    pub(crate) fn report(&self, peer: PeerId, fault: Fault) {
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

/// The refusal of a node that is full.
pub(crate) fn overloaded(retry_after: Duration) -> Refusal {
    Refusal::Overloaded {
        retry_after_ms: u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX),
    }
}
