//! The task that owns the swarm.
//!
//! It never waits on anything but its own inputs: a full queue of inbound requests is answered with `Overloaded`, a
//! caller that went away is ignored, and what a peer sends or breaks is an event like any other. A request in flight
//! holds its caller's permit until libp2p reports its end, so abandoned requests still count against the bound.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use athanor_spec::{
    Refusal,
    wire::{Request, Response},
};
use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm,
    request_response::{
        Event, InboundRequestId, Message, OutboundFailure, OutboundRequestId, ResponseChannel,
    },
    swarm::{DialError, SwarmEvent},
};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    AskError, CodecError, InboundRequest, Responder,
    behaviour::{Behaviour, BehaviourEvent, REQUEST_TIMEOUT},
    codec::{TimedRequest, TimedResponse},
};

/// How long responses may take to leave after the end was asked for.
const DRAIN: Duration = Duration::from_millis(500);
/// How long connections stay open after the last response: libp2p calls it sent while it still lies in a connection's
/// buffer, and a connection that is closed in order makes the peer drop what it has not read yet.
const FLUSH: Duration = Duration::from_millis(100);
/// Retry hint when the inbound queue is full: about one answer of the slowest honest miner.
const RETRY_AFTER_MS: u32 = 250;

/// What the handles ask of the loop.
#[derive(Debug)]
pub(crate) enum Command {
    /// Send a request.
    Request(Box<Outbound>),
    /// Send a response.
    Respond {
        channel: ResponseChannel<TimedResponse>,
        response: Response,
    },
}

/// A request on its way out.
#[derive(Debug)]
pub(crate) struct Outbound {
    pub(crate) peer: PeerId,
    pub(crate) addr: Multiaddr,
    pub(crate) request: Request,
    pub(crate) permit: OwnedSemaphorePermit,
    pub(crate) reply: oneshot::Sender<Result<(Response, Duration), Failure>>,
}

/// Why a request ended without a response.
#[derive(Debug)]
pub(crate) enum Failure {
    Unreachable,
    WrongPeer { obtained: PeerId },
    Denied,
    Disconnected,
    UnsupportedProtocol,
    Timeout,
    Malformed(CodecError),
}

impl Failure {
    pub(crate) fn into_ask_error(self, addr: SocketAddr) -> AskError {
        match self {
            Self::Unreachable => AskError::Unreachable { addr },
            Self::WrongPeer { obtained } => AskError::WrongPeer { obtained },
            Self::Denied => AskError::Busy,
            Self::Disconnected | Self::Malformed(CodecError::Empty) => AskError::Disconnected,
            Self::UnsupportedProtocol => AskError::UnsupportedProtocol,
            Self::Timeout => AskError::Timeout {
                after: REQUEST_TIMEOUT,
            },
            Self::Malformed(error) => AskError::Malformed(error),
        }
    }
}

struct Pending {
    peer: PeerId,
    sent: Arc<OnceLock<Instant>>,
    reply: oneshot::Sender<Result<(Response, Duration), Failure>>,
    _permit: OwnedSemaphorePermit,
}

/// Sole owner of the swarm.
pub(crate) struct EventLoop {
    swarm: Swarm<Behaviour>,
    // Messaging.
    commands: mpsc::Sender<Command>,
    command_queue: mpsc::Receiver<Command>,
    inbound: mpsc::Sender<InboundRequest>,
    stop: CancellationToken,
    // Work in flight.
    pending: HashMap<OutboundRequestId, Pending>,
    serving: HashMap<InboundRequestId, PeerId>,
    /// Why the last dial of a peer failed; kept only while requests to it are pending.
    dial_failures: HashMap<PeerId, DialFailure>,
}

#[derive(Clone, Copy)]
enum DialFailure {
    Unreachable,
    WrongPeer { obtained: PeerId },
    Denied,
}

impl EventLoop {
    pub(crate) fn new(
        swarm: Swarm<Behaviour>,
        commands: mpsc::Sender<Command>,
        command_queue: mpsc::Receiver<Command>,
        inbound: mpsc::Sender<InboundRequest>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            swarm,
            commands,
            command_queue,
            inbound,
            stop,
            pending: HashMap::new(),
            serving: HashMap::new(),
            dial_failures: HashMap::new(),
        }
    }

    /// Runs until the end is asked for, then drains.
    pub(crate) async fn run(mut self) {
        let stop = self.stop.clone();
        let until_stopped = async { stop.cancelled().await };
        tokio::pin!(until_stopped);
        loop {
            tokio::select! {
                () = &mut until_stopped => break,
                more = self.turn() => if !more { break },
            }
        }
        self.drain().await;
    }

    /// One command or one event; false when no handle is left.
    async fn turn(&mut self) -> bool {
        tokio::select! {
            command = self.command_queue.recv() => match command {
                Some(command) => self.on_command(command),
                None => return false,
            },
            event = self.swarm.select_next_some() => self.on_event(event),
        }
        true
    }

    async fn drain(&mut self) {
        self.pending.clear();
        let deadline = Instant::now() + DRAIN;
        while !self.serving.is_empty() {
            if !self.turn_before(deadline).await {
                return;
            }
        }
        let flushed = Instant::now() + FLUSH;
        while self.swarm.network_info().num_peers() > 0 && self.turn_before(flushed).await {}
    }

    /// One turn, unless the deadline comes first; false when there is nothing more to wait for.
    async fn turn_before(&mut self, deadline: Instant) -> bool {
        tokio::time::timeout_at(deadline.into(), self.turn())
            .await
            .unwrap_or(false)
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Request(outbound) => {
                let Outbound {
                    peer,
                    addr,
                    request,
                    permit,
                    reply,
                } = *outbound;
                let sent = Arc::new(OnceLock::new());
                let request = TimedRequest {
                    request,
                    sent: sent.clone(),
                };
                let requests = &mut self.swarm.behaviour_mut().requests;
                let id = requests.send_request_with_addresses(&peer, request, vec![addr]);
                self.pending.insert(
                    id,
                    Pending {
                        peer,
                        sent,
                        reply,
                        _permit: permit,
                    },
                );
            }
            Command::Respond { channel, response } => self.respond(channel, response),
        }
    }

    fn respond(&mut self, channel: ResponseChannel<TimedResponse>, response: Response) {
        let response = TimedResponse {
            response,
            at: Instant::now(),
        };
        // An error means that the peer gave up waiting, which its own event reports.
        let _ = self
            .swarm
            .behaviour_mut()
            .requests
            .send_response(channel, response);
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Requests(event)) => self.on_request_event(event),
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(peer),
                error,
                ..
            } => self.on_dial_failure(peer, error),
            SwarmEvent::ListenerClosed {
                reason: Err(error), ..
            } => {
                tracing::error!(%error, "the listener ended; no new connections are accepted");
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "the listener reported an error")
            }
            _ => {}
        }
    }

    fn on_dial_failure(&mut self, peer: PeerId, error: DialError) {
        let failure = match error {
            // Another dial of the same peer is under way and will be reported by itself.
            DialError::DialPeerConditionFalse(_) => return,
            DialError::WrongPeerId { obtained, .. } => DialFailure::WrongPeer { obtained },
            DialError::Denied { .. } => DialFailure::Denied,
            error => {
                tracing::debug!(%peer, %error, "dial failed");
                DialFailure::Unreachable
            }
        };
        if self.pending.values().any(|pending| pending.peer == peer) {
            self.dial_failures.insert(peer, failure);
        }
    }

    fn on_request_event(&mut self, event: Event<TimedRequest, TimedResponse>) {
        match event {
            Event::Message {
                peer,
                message:
                    Message::Request {
                        request_id,
                        request,
                        channel,
                    },
                ..
            } => {
                self.serving.insert(request_id, peer);
                self.on_request(peer, request.request, channel);
            }
            Event::Message {
                message:
                    Message::Response {
                        request_id,
                        response,
                    },
                ..
            } => {
                if let Some(pending) = self.pending.remove(&request_id) {
                    // The stamp is set before the first byte leaves, so a response without it cannot be.
                    let sent = pending.sent.get().copied().unwrap_or(response.at);
                    let elapsed = response.at.saturating_duration_since(sent);
                    let _ = pending.reply.send(Ok((response.response, elapsed)));
                }
            }
            Event::OutboundFailure {
                peer,
                request_id,
                error,
                ..
            } => {
                let failure = self.failure(peer, error);
                if let Some(pending) = self.pending.remove(&request_id) {
                    let _ = pending.reply.send(Err(failure));
                }
                if !self.pending.values().any(|pending| pending.peer == peer) {
                    self.dial_failures.remove(&peer);
                }
            }
            Event::InboundFailure {
                peer,
                request_id,
                error,
                ..
            } => {
                self.serving.remove(&request_id);
                tracing::debug!(%peer, %error, "an inbound request failed");
            }
            Event::ResponseSent { request_id, .. } => {
                self.serving.remove(&request_id);
            }
        }
    }

    fn on_request(
        &mut self,
        peer: PeerId,
        request: Request,
        channel: ResponseChannel<TimedResponse>,
    ) {
        if self.stop.is_cancelled() {
            return self.respond(channel, Response::Refused(Refusal::NotServing));
        }
        let reply = Responder {
            channel,
            commands: self.commands.clone(),
        };
        let (request, refusal) = match self.inbound.try_send(InboundRequest {
            peer,
            request,
            reply,
        }) {
            Ok(()) => return,
            Err(mpsc::error::TrySendError::Full(request)) => (
                request,
                Refusal::Overloaded {
                    retry_after_ms: RETRY_AFTER_MS,
                },
            ),
            Err(mpsc::error::TrySendError::Closed(request)) => (request, Refusal::NotServing),
        };
        self.respond(request.reply.channel, Response::Refused(refusal));
    }

    fn failure(&self, peer: PeerId, error: OutboundFailure) -> Failure {
        match error {
            OutboundFailure::DialFailure => match self.dial_failures.get(&peer) {
                Some(DialFailure::WrongPeer { obtained }) => Failure::WrongPeer {
                    obtained: *obtained,
                },
                Some(DialFailure::Denied) => Failure::Denied,
                Some(DialFailure::Unreachable) | None => Failure::Unreachable,
            },
            OutboundFailure::Timeout => Failure::Timeout,
            OutboundFailure::ConnectionClosed => Failure::Disconnected,
            OutboundFailure::UnsupportedProtocols => Failure::UnsupportedProtocol,
            OutboundFailure::Io(error) => {
                codec_error(&error).map_or(Failure::Disconnected, Failure::Malformed)
            }
        }
    }
}

fn codec_error(error: &io::Error) -> Option<CodecError> {
    error.get_ref()?.downcast_ref::<CodecError>().copied()
}
