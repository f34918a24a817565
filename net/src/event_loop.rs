//! The task that owns the swarm.
//!
//! It never waits on anything but its own inputs: streams are carried by tasks of their own, a caller that went away is
//! ignored, and what a peer sends or breaks is an event like any other.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant},
};

use athanor_spec::{SigningContext, params::Limits};
use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, dcutr, identify, relay,
    swarm::{FromSwarm, ListenError, NetworkBehaviour, NewExternalAddrCandidate, SwarmEvent},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use crate::{
    InboundRequest, Reachability,
    acceptor::Acceptor,
    behaviour::{Behaviour, BehaviourEvent},
    discovery::Discovery,
    exchange::{Context, Report},
    kept::{Kept, Role},
    status::About,
    streams::{self, Connected, Open},
    transport,
};

/// How long responses may take to arrive after the end was asked for.
const DRAIN: Duration = Duration::from_millis(1500);
/// How long taking leave may take.
const FAREWELL: Duration = Duration::from_millis(200);
/// Faults of peers that may wait to be counted; more are forgotten.
const FAULT_QUEUE: usize = 64;
/// How often peers that were lost are looked after.
const TICK: Duration = Duration::from_millis(250);

/// What the handles ask of the loop.
#[derive(Debug)]
pub(crate) enum Command {
    /// Open a stream.
    Open(Open),
    /// Tell peers an address of this node.
    Announce(SocketAddr),
    /// List the connections.
    Connections(oneshot::Sender<Vec<Connected>>),
}

/// What the loop is told once.
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) quic: bool,
    pub(crate) about: About,
    pub(crate) discovery: Option<SigningContext>,
}

/// The loop's ends of its channels.
pub(crate) struct Wiring {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) inbound: mpsc::Sender<InboundRequest>,
    pub(crate) reachable: watch::Sender<Reachability>,
    pub(crate) stop: CancellationToken,
}

/// Sole owner of the swarm.
pub(crate) struct EventLoop {
    swarm: Swarm<Behaviour>,
    acceptor: Acceptor,
    quic: bool,
    discovery: Option<Discovery>,
    kept: Vec<Kept>,
    /// Addresses at which this node is reached, by what the operator says or chosen peers have tried.
    vouched: BTreeSet<SocketAddr>,
    // Messaging.
    commands: mpsc::Receiver<Command>,
    faults: mpsc::Receiver<Report>,
    reachable: watch::Sender<Reachability>,
    stop: CancellationToken,
}

impl EventLoop {
    pub(crate) fn new(
        swarm: Swarm<Behaviour>,
        settings: Settings,
        kept: Vec<Kept>,
        wiring: Wiring,
    ) -> Self {
        let (report, faults) = mpsc::channel(FAULT_QUEUE);
        Self {
            swarm,
            acceptor: Acceptor::new(Context {
                limits: settings.limits,
                about: settings.about,
                inbound: wiring.inbound,
                faults: report,
                stop: wiring.stop.clone(),
            }),
            quic: settings.quic,
            discovery: settings.discovery.map(|network| Discovery::new(&network)),
            kept,
            vouched: BTreeSet::new(),
            commands: wiring.commands,
            faults,
            reachable: wiring.reachable,
            stop: wiring.stop,
        }
    }

    /// Runs until the end is asked for, then drains.
    pub(crate) async fn run(mut self) {
        let stop = self.stop.clone();
        let until_stopped = stop.cancelled();
        tokio::pin!(until_stopped);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut until_stopped => break,
                _ = ticks.tick(), if !self.kept.is_empty() => self.keep_in_touch(Instant::now()),
                Some(command) = self.commands.recv() => self.on_command(command),
                Some(report) = self.faults.recv() => self.on_fault(report),
                event = self.swarm.select_next_some() => self.on_event(event),
            }
        }
        self.drain().await;
    }

    /// Lets the responses that were given arrive, within the deadline, and takes leave of all peers.
    async fn drain(&mut self) {
        self.commands.close();
        let drained = tokio::time::timeout(DRAIN, self.acceptor.drained());
        tokio::pin!(drained);
        loop {
            tokio::select! {
                _ = &mut drained => break,
                Some(_) = self.faults.recv() => {}
                event = self.swarm.select_next_some() => self.on_event(event),
            }
        }
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // An error means that it is gone already.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        // A QUIC connection that just vanished would be missed only after seconds.
        let closed = async {
            while self.swarm.connected_peers().next().is_some() {
                let _ = self.swarm.select_next_some().await;
            }
            // The last packets leave from a task of the transport.
            tokio::task::yield_now().await;
        };
        let _ = tokio::time::timeout(FAREWELL, closed).await;
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Open(open) => self.swarm.behaviour_mut().streams.open(open),
            Command::Announce(addr) => {
                for address in transport::addresses(addr, self.quic) {
                    // Nobody observes an address that is known already, and who punches holes hears of observed ones only.
                    if let Some(dcutr) = self.swarm.behaviour_mut().dcutr.as_mut() {
                        let candidate = NewExternalAddrCandidate { addr: &address };
                        dcutr.on_swarm_event(FromSwarm::NewExternalAddrCandidate(candidate));
                    }
                    self.swarm.add_external_address(address);
                }
                self.vouched.insert(addr);
                self.publish_reachability();
            }
            Command::Connections(reply) => {
                let _ = reply.send(self.swarm.behaviour().streams.connections().collect());
            }
        }
    }

    fn on_fault(&mut self, Report { peer, fault }: Report) {
        tracing::debug!(%peer, ?fault, "a peer is at fault");
        if self.swarm.behaviour_mut().gate.peer_fault(peer, fault) {
            // An error means that it is gone already.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ExternalAddrConfirmed { .. } | SwarmEvent::ExternalAddrExpired { .. } => {
                self.publish_reachability();
            }
            SwarmEvent::IncomingConnectionError {
                send_back_addr,
                error: ListenError::Transport(error),
                ..
            } => {
                tracing::debug!(from = %send_back_addr, %error, "a handshake failed");
                let gate = &mut self.swarm.behaviour_mut().gate;
                gate.handshake_failed(&send_back_addr);
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                endpoint,
                cause: Some(cause),
                ..
            } => {
                let address = endpoint.get_remote_address();
                tracing::debug!(peer = %peer_id, %address, %cause, "a connection was lost");
            }
            SwarmEvent::ListenerClosed {
                listener_id,
                reason,
                ..
            } => {
                let lost = |kept: &&mut Kept| kept.listener == Some(listener_id);
                if let Some(kept) = self.kept.iter_mut().find(lost) {
                    kept.listener = None;
                    tracing::info!(relay = %kept.peer, ?reason, "the reservation at a relay ended");
                } else if let Err(error) = reason {
                    tracing::error!(%error, "a listener ended; no new connections are accepted there");
                }
                self.publish_reachability();
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "a listener reported an error");
            }
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Streams(streams::Event::Inbound(stream)) => {
                self.acceptor.accept(stream)
            }
            BehaviourEvent::Streams(streams::Event::Unreachable(peer)) => self.look_up(peer),
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                if let (Some(discovery), Some(kad)) =
                    (&self.discovery, self.swarm.behaviour_mut().kad.as_mut())
                {
                    discovery.learn(kad, peer_id, &info);
                }
            }
            BehaviourEvent::Kad(event) => {
                let found = self.discovery.as_mut().and_then(|d| d.on_event(event));
                if let Some((peer, addresses)) = found {
                    self.redial(peer, addresses);
                }
            }
            BehaviourEvent::RelayClient(relay::client::Event::ReservationReqAccepted {
                relay_peer_id,
                renewal,
                ..
            }) => {
                for kept in self.kept.iter_mut().filter(|k| k.peer == relay_peer_id) {
                    kept.reached();
                }
                if !renewal {
                    tracing::info!(relay = %relay_peer_id, "reachable through a relay");
                }
                self.publish_reachability();
            }
            BehaviourEvent::Dcutr(dcutr::Event {
                remote_peer_id,
                result,
            }) => match result {
                Ok(_) => tracing::debug!(peer = %remote_peer_id, "a direct connection was punched"),
                Err(error) => {
                    tracing::debug!(peer = %remote_peer_id, %error, "no direct connection; the relay carries on");
                }
            },
            BehaviourEvent::Autonat(event) => {
                let reached = event.result.is_ok();
                tracing::debug!(address = %event.tested_addr, by = %event.server, reached, "tested");
                self.on_tested(&event.tested_addr, event.server, reached);
            }
            _ => {}
        }
    }

    /// A peer is not where it was dialled: asks the network, and tries the relays.
    fn look_up(&mut self, peer: PeerId) {
        let kad = self.swarm.behaviour_mut().kad.as_mut();
        match (&mut self.discovery, kad) {
            (Some(discovery), Some(kad)) => discovery.look_up(kad, peer),
            _ => self.redial(peer, Vec::new()),
        }
    }

    fn redial(&mut self, peer: PeerId, mut addresses: Vec<Multiaddr>) {
        let relays = self.kept.iter().filter(|kept| kept.role == Role::Relay);
        addresses.extend(relays.map(|relay| relay.circuit_to(peer)));
        self.swarm.behaviour_mut().streams.redial(peer, addresses);
    }

    /// Dials those that were lost and whose turn it is.
    fn keep_in_touch(&mut self, now: Instant) {
        for kept in &mut self.kept {
            let lost = match kept.role {
                Role::Relay => kept.listener.is_none(),
                Role::Bootstrap => !self.swarm.is_connected(&kept.peer),
            };
            if !lost {
                continue;
            }
            if !kept.try_now(now) {
                continue;
            }
            match kept.role {
                Role::Relay => {
                    let circuit = kept
                        .address
                        .clone()
                        .with(libp2p::multiaddr::Protocol::P2pCircuit);
                    match self.swarm.listen_on(circuit) {
                        Ok(listener) => kept.listener = Some(listener),
                        Err(error) => tracing::warn!(relay = %kept.address, %error, "no relay"),
                    }
                }
                Role::Bootstrap => {
                    if let Err(error) = self.swarm.dial(kept.address.clone()) {
                        tracing::debug!(peer = %kept.address, %error, "cannot dial");
                    }
                }
            }
        }
    }

    /// A peer tried to reach this node. What the chain is told hangs on it, so only peers that the operator chose count.
    fn on_tested(&mut self, address: &Multiaddr, by: PeerId, reached: bool) {
        let Some(addr) = transport::socket_addr(address) else {
            return;
        };
        if reached && self.kept.iter().any(|kept| kept.peer == by) {
            self.vouched.insert(addr);
        }
        self.publish_reachability();
    }

    fn publish_reachability(&mut self) {
        let mut reachability = Reachability::default();
        let mut known = BTreeSet::new();
        for address in self.swarm.external_addresses() {
            match transport::socket_addr(address) {
                Some(addr) => {
                    known.insert(addr);
                }
                None => reachability.relayed.push(address.clone()),
            }
        }
        // What is no address of this node any more has to be tried anew.
        self.vouched.retain(|addr| known.contains(addr));
        reachability.direct = self.vouched.iter().copied().collect();
        reachability.relayed.sort_unstable();
        self.reachable.send_if_modified(|known| {
            let changed = *known != reachability;
            if changed {
                *known = reachability;
            }
            changed
        });
    }
}
