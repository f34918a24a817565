//! Speaking to other peers: a stream, one request, the response, and how long it took.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use athanor_spec::{
    DeltaOffer, DeltaQuery, Digest, Refusal, Signed,
    params::Limits,
    wire::{self, BlobRequest, BlobResponse},
};
use codec::{Decode, Encode};
use libp2p::{PeerId, Stream, StreamProtocol, core::upgrade::NegotiationError};
use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    BadPeerKey, CodecError,
    acceptor::MAX_STREAMS_PER_PEER,
    clock::{self, Clocks},
    event_loop::Command,
    frame::{self, ReadError},
    identity,
    slots::{Slot, Slots},
    streams::{Open, OpenError},
    transport,
};

/// Requests of this node in flight at once, over all peers; the rest wait for their turn. Enough for a load probe that sends
/// sixteen asks to each miner of a full subnet.
const MAX_OUTBOUND: usize = 4096;
/// Of them, with one peer: somewhat fewer than a peer serves, as it hears later than this node that one has ended.
const MAX_OUTBOUND_PER_PEER: usize = MAX_STREAMS_PER_PEER - 16;
/// How often a stream is opened before a connection that ends each time is told, and the pause before the next time.
const OPENINGS: usize = 3;
const REOPEN: Duration = Duration::from_millis(20);

/// Where a peer is and who it must prove to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddress {
    /// Its ed25519 public key, from the hotkey's commitment on chain.
    pub peer_key: Digest,
    /// Its address, from the hotkey's axon on chain.
    pub addr: SocketAddr,
}

impl From<(Digest, SocketAddr)> for PeerAddress {
    fn from((peer_key, addr): (Digest, SocketAddr)) -> Self {
        Self { peer_key, addr }
    }
}

/// Why there is no answer. [`AskError::blames_peer`] tells the peer's faults from this node's own.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AskError {
    /// The peer said no, and why.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The peer refused because the clocks of both differ by more than is tolerated.
    #[error("{}", skew(*ahead_ms, *peers_fault))]
    ClockSkew {
        /// This node's clock minus the peer's, in milliseconds.
        ahead_ms: i64,
        /// Whether most other peers agree with this node's clock, so that the peer's is the wrong one.
        peers_fault: bool,
    },
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
    #[error("the peer does not speak {protocol}")]
    UnsupportedProtocol {
        /// The protocol's name, with its version.
        protocol: &'static str,
    },
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

fn skew(ahead_ms: i64, peers_fault: bool) -> String {
    let direction = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let cause = if peers_fault {
        "other peers agree with this node: the peer's clock is wrong"
    } else {
        "check that this machine's clock is synchronised (`timedatectl`)"
    };
    format!(
        "this node's clock is {} ms {direction} the peer's; {cause}",
        ahead_ms.unsigned_abs()
    )
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
            | Self::UnsupportedProtocol { .. }
            | Self::Malformed(_)
            | Self::WrongKind
            | Self::BadPeerKey(_) => true,
            Self::ClockSkew { peers_fault, .. } => *peers_fault,
            Self::RequestTooLarge(_) | Self::Busy | Self::Stopped => false,
        }
    }
}

/// Sends requests to peers. Clones share the connections and the bound on requests in flight.
#[derive(Clone, Debug)]
pub struct Client {
    commands: mpsc::Sender<Command>,
    in_flight: Arc<Slots>,
    clocks: Arc<Mutex<Clocks>>,
    pub(crate) limits: Limits,
    quic: bool,
}

impl Client {
    pub(crate) fn new(commands: mpsc::Sender<Command>, limits: Limits, quic: bool) -> Self {
        Self {
            commands,
            in_flight: Arc::new(Slots::new(MAX_OUTBOUND, MAX_OUTBOUND_PER_PEER)),
            clocks: Arc::default(),
            limits,
            quic,
        }
    }

    /// Asks a peer whether it serves a delta from one file to another; `None` when it does not.
    pub async fn delta(
        &self,
        peer: &PeerAddress,
        query: Signed<DeltaQuery>,
        within: Duration,
    ) -> Result<Option<DeltaOffer>, AskError> {
        match self.blob(peer, BlobRequest::Delta(query), within).await {
            Ok(BlobResponse::Delta(offer)) => Ok(Some(offer)),
            Ok(BlobResponse::Slice(_) | BlobResponse::Refused(_)) => Err(AskError::WrongKind),
            Err(AskError::Refused(Refusal::UnknownBlob)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One exchange with a blob server; a refusal is an error.
    pub(crate) async fn blob(
        &self,
        peer: &PeerAddress,
        request: BlobRequest,
        within: Duration,
    ) -> Result<BlobResponse, AskError> {
        let bounds = Bounds {
            request: wire::MAX_BLOB_REQUEST_BYTES,
            response: wire::max_blob_response_bytes(&self.limits),
        };
        let response = self
            .exchange(peer, wire::BLOB_PROTOCOL, &request, bounds, within)
            .await?;
        match response {
            BlobResponse::Refused(refusal) => Err(self.refused(peer, refusal)),
            response => Ok(response),
        }
    }

    /// One request, one response.
    pub(crate) async fn exchange<Q: Encode, R: Decode>(
        &self,
        peer: &PeerAddress,
        protocol: &'static str,
        request: &Q,
        bounds: Bounds,
        within: Duration,
    ) -> Result<R, AskError> {
        let request = frame::encode(request, bounds.request).map_err(AskError::RequestTooLarge)?;
        let _slot = self
            .slot(identity::peer_id(&peer.peer_key)?, within)
            .await?;
        let exchange = async {
            let mut begun = self.begin(peer, protocol, &request).await?;
            begun.read(bounds.response).await
        };
        timeout(within, exchange)
            .await
            .unwrap_or(Err(AskError::Timeout { after: within }))
    }

    /// The right to one more request in flight.
    pub(crate) async fn slot(&self, peer: PeerId, within: Duration) -> Result<Slot, AskError> {
        match timeout(within, self.in_flight.take(peer)).await {
            Ok(slot) => slot.ok_or(AskError::Stopped),
            Err(_) => Err(AskError::Busy),
        }
    }

    /// Opens a stream and sends a request, made by [`frame::encode`].
    pub(crate) async fn begin(
        &self,
        peer: &PeerAddress,
        protocol: &'static str,
        request: &[u8],
    ) -> Result<Begun, AskError> {
        let mut left = OPENINGS;
        let mut stream = loop {
            left -= 1;
            match self.open(peer, protocol).await {
                // The connection ended while the stream was on its way to it: nothing was said, so say it on a new one. That
                // it has ended is known a moment later.
                Err(AskError::Disconnected) if left > 0 => tokio::time::sleep(REOPEN).await,
                opened => break opened?,
            }
        };
        let sent = Instant::now();
        match frame::write(&mut stream, request).await {
            Ok(()) => {}
            // A peer may refuse before it has read everything: its refusal is there to be read.
            Err(error) => tracing::debug!(%error, "the request did not leave whole"),
        }
        Ok(Begun {
            stream,
            protocol,
            sent,
        })
    }

    async fn open(&self, peer: &PeerAddress, protocol: &'static str) -> Result<Stream, AskError> {
        let (reply, opened) = oneshot::channel();
        let open = Open {
            peer: identity::peer_id(&peer.peer_key)?,
            addresses: transport::addresses(peer.addr, self.quic),
            protocol: StreamProtocol::new(protocol),
            reply,
        };
        self.commands
            .send(Command::Open(open))
            .await
            .map_err(|_| AskError::Stopped)?;
        match opened.await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(match error {
                OpenError::Unreachable => AskError::Unreachable { addr: peer.addr },
                OpenError::WrongPeer { obtained } => AskError::WrongPeer { obtained },
                OpenError::Denied => AskError::Busy,
                OpenError::Disconnected => AskError::Disconnected,
                OpenError::Unsupported => AskError::UnsupportedProtocol { protocol },
            }),
            Err(_) if self.commands.is_closed() => Err(AskError::Stopped),
            Err(_) => Err(AskError::Disconnected),
        }
    }

    /// The error that a refusal is. One for a wrong clock says whose it is.
    pub(crate) fn refused(&self, peer: &PeerAddress, refusal: Refusal) -> AskError {
        let Refusal::Expired { server_time_ms } = refusal else {
            return AskError::Refused(refusal);
        };
        let ahead_ms = clock::ahead_ms(clock::now_ms(), server_time_ms);
        if clock::within(ahead_ms) {
            return AskError::Refused(refusal);
        }
        let peers_fault =
            identity::peer_id(&peer.peer_key).is_ok_and(|peer| self.clocks().trusts_own(peer));
        AskError::ClockSkew {
            ahead_ms,
            peers_fault,
        }
    }

    /// Learns from a peer's time stamp.
    pub(crate) fn hear_clock(&self, peer: &PeerAddress, their_ms: u64) {
        if let Ok(peer) = identity::peer_id(&peer.peer_key) {
            let ahead_ms = clock::ahead_ms(clock::now_ms(), their_ms);
            self.clocks().hear(peer, ahead_ms);
        }
    }

    fn clocks(&self) -> std::sync::MutexGuard<'_, Clocks> {
        self.clocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Largest messages of a protocol in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) request: u64,
    pub(crate) response: u64,
}

/// An exchange whose request has left. Dropping it before its end tells the peer that nobody waits.
pub(crate) struct Begun {
    stream: Stream,
    protocol: &'static str,
    /// When the first byte of the request was handed to the stream.
    pub(crate) sent: Instant,
}

impl Begun {
    /// The next frame of the response.
    pub(crate) async fn read<R: Decode>(&mut self, bound: u64) -> Result<R, AskError> {
        frame::read(&mut self.stream, bound)
            .await
            .map_err(|error| match error {
                ReadError::Bad(error) => AskError::Malformed(error),
                ReadError::Ended(error) if is_unsupported(&error) => {
                    AskError::UnsupportedProtocol {
                        protocol: self.protocol,
                    }
                }
                ReadError::Ended(error) => {
                    tracing::debug!(protocol = self.protocol, %error, "a stream ended before the response");
                    AskError::Disconnected
                }
            })
    }
}

/// Whether a stream ended because the peer does not speak its protocol: streams are used before the peer has agreed.
fn is_unsupported(error: &std::io::Error) -> bool {
    error
        .get_ref()
        .and_then(|source| source.downcast_ref::<NegotiationError>())
        .is_some_and(|error| matches!(error, NegotiationError::Failed))
}
