//! Asking other peers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use athanor_spec::{
    Answer, Ask, DeltaOffer, DeltaQuery, Digest, Refusal, Signed,
    params::Limits,
    wire::{Request, Response},
};
use libp2p::PeerId;
use thiserror::Error;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};

use crate::{
    BadPeerKey, CodecError,
    codec::ScaleCodec,
    config::multiaddr,
    event_loop::{Command, Outbound},
    identity,
};

/// Requests of this node in flight at once, over all peers; the rest wait for their turn.
const MAX_OUTBOUND: usize = 1024;

/// Where a peer is and who it must prove to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddress {
    /// Its ed25519 public key, from the hotkey's commitment on chain.
    pub peer_key: Digest,
    /// Its TCP address, from the hotkey's axon on chain.
    pub addr: SocketAddr,
}

/// An answer as this node saw it arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The answer; its signature is the caller's to check.
    pub answer: Signed<Answer>,
    /// From the first byte of the ask to the last byte of the answer, by this node's clock; without dial and queues.
    pub elapsed: Duration,
}

/// Why there is no answer. [`AskError::blames_peer`] tells the peer's faults from this node's own.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AskError {
    /// The peer said no, and why.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// No answer within the time given.
    #[error("no answer within {} ms", after.as_millis())]
    Timeout {
        /// The time given.
        after: Duration,
    },
    /// No connection could be made.
    #[error("unreachable at {addr}")]
    Unreachable {
        /// Where it was dialled.
        addr: SocketAddr,
    },
    /// Somebody else answers at the address.
    #[error("another peer answers at the address: {obtained}")]
    WrongPeer {
        /// Who.
        obtained: PeerId,
    },
    /// The connection or the stream ended before the answer was complete.
    #[error("disconnected before the answer was complete")]
    Disconnected,
    /// The peer does not speak this version of the protocol.
    #[error("the peer does not speak {}", athanor_spec::wire::PROTOCOL_NAME)]
    UnsupportedProtocol,
    /// The response breaks a bound or is not a message.
    #[error("malformed response: {0}")]
    Malformed(CodecError),
    /// The response is a message, but not of the kind asked for.
    #[error("a response of the wrong kind")]
    WrongKind,
    /// The key committed on chain is not one.
    #[error(transparent)]
    BadPeerKey(#[from] BadPeerKey),
    /// The ask itself is over the spec's bound.
    #[error("the request does not fit the protocol: {0}")]
    RequestTooLarge(CodecError),
    /// Too many requests of this node are in flight.
    #[error("this node has too many requests in flight")]
    Busy,
    /// This node's network has ended.
    #[error("this node's network has ended")]
    Stopped,
}

impl AskError {
    /// Whether the peer is to blame: a caller's own trouble must never lower a miner's grade.
    pub fn blames_peer(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::Timeout { .. }
            | Self::Unreachable { .. }
            | Self::WrongPeer { .. }
            | Self::Disconnected
            | Self::UnsupportedProtocol
            | Self::Malformed(_)
            | Self::WrongKind
            | Self::BadPeerKey(_) => true,
            Self::RequestTooLarge(_) | Self::Busy | Self::Stopped => false,
        }
    }
}

/// Sends requests to peers. Clones share the connections and the bound on requests in flight.
#[derive(Clone, Debug)]
pub struct Client {
    commands: mpsc::Sender<Command>,
    in_flight: Arc<Semaphore>,
    codec: ScaleCodec,
    pub(crate) limits: Limits,
}

impl Client {
    pub(crate) fn new(commands: mpsc::Sender<Command>, codec: ScaleCodec, limits: Limits) -> Self {
        Self {
            commands,
            in_flight: Arc::new(Semaphore::new(MAX_OUTBOUND)),
            codec,
            limits,
        }
    }

    /// Asks a peer for tokens and waits for its answer, at most `within` from the moment the ask may leave.
    pub async fn ask(
        &self,
        peer: &PeerAddress,
        ask: Signed<Ask>,
        within: Duration,
    ) -> Result<Observed, AskError> {
        match self.request(peer, Request::Ask(ask), within).await? {
            (Response::Answer(answer), elapsed) => Ok(Observed { answer, elapsed }),
            (Response::Refused(refusal), _) => Err(refusal.into()),
            (Response::Slice(_) | Response::Delta(_), _) => Err(AskError::WrongKind),
        }
    }

    /// Asks a peer whether it serves a delta from one file to another; `None` when it does not.
    pub async fn delta(
        &self,
        peer: &PeerAddress,
        query: Signed<DeltaQuery>,
        within: Duration,
    ) -> Result<Option<DeltaOffer>, AskError> {
        match self.request(peer, Request::Delta(query), within).await? {
            (Response::Delta(offer), _) => Ok(Some(offer)),
            (Response::Refused(Refusal::UnknownBlob), _) => Ok(None),
            (Response::Refused(refusal), _) => Err(refusal.into()),
            (Response::Answer(_) | Response::Slice(_), _) => Err(AskError::WrongKind),
        }
    }

    pub(crate) async fn request(
        &self,
        peer: &PeerAddress,
        request: Request,
        within: Duration,
    ) -> Result<(Response, Duration), AskError> {
        self.codec
            .request_bytes(&request)
            .map_err(AskError::RequestTooLarge)?;
        let peer_id = identity::peer_id(&peer.peer_key)?;
        let permit = match timeout(within, self.in_flight.clone().acquire_owned()).await {
            Ok(permit) => permit.map_err(|_| AskError::Stopped)?,
            Err(_) => return Err(AskError::Busy),
        };
        let (reply, response) = oneshot::channel();
        let outbound = Outbound {
            peer: peer_id,
            addr: multiaddr(peer.addr),
            request,
            permit,
            reply,
        };
        let exchange = async {
            self.commands
                .send(Command::Request(Box::new(outbound)))
                .await
                .map_err(|_| AskError::Stopped)?;
            match response.await {
                Ok(Ok(response)) => Ok(response),
                Ok(Err(failure)) => Err(failure.into_ask_error(peer.addr)),
                Err(_) => Err(AskError::Stopped),
            }
        };
        timeout(within, exchange)
            .await
            .unwrap_or(Err(AskError::Timeout { after: within }))
    }
}
