//! Starting and ending the network.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use athanor_spec::{SigningContext, SubnetSpec, params::Limits, wire::NodeKind};
use libp2p::{Multiaddr, noise};
use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    Client, Identity, Inbound,
    event_loop::{Command, EventLoop, Settings, Wiring},
    kept::{Kept, Role},
    status::{About, Serving, Specs, Transcripts},
    streams::Connected,
    transport,
    whereabouts::{Reachability, Whereabouts},
};

/// Longest wait for sockets to be closed.
const RELEASE: Duration = Duration::from_secs(10);

/// Commands that may wait for the event loop; senders wait beyond that.
const COMMAND_QUEUE: usize = 256;

/// What a node's network needs.
#[derive(Clone, Debug)]
pub struct NetConfig {
    /// The key that proves the node's peer id.
    pub identity: Identity,
    /// Where to accept connections (port 0 takes a free one). Empty: only dial.
    pub listen: Vec<SocketAddr>,
    /// Whether to speak QUIC, that is UDP with the same port number, beside TCP; dials then prefer it.
    pub quic: bool,
    /// What this node says that it is.
    pub kind: NodeKind,
    /// The spec that it follows and shows to whoever asks; [`NetHandle::specs`] shows more. `None`: none.
    pub spec: Option<SubnetSpec>,
    /// The spec's bounds; they give the largest messages in bytes.
    pub limits: Limits,
    /// Requests that may wait for [`Inbound::recv`]; beyond that the network itself refuses with `Overloaded`.
    pub inbound_queue: usize,
    /// The chain and subnet whose peers find each other's current addresses by Kademlia. `None`: neither ask nor answer.
    pub discovery: Option<SigningContext>,
    /// Peers to join the network by, each with its peer id (`/ip4/../tcp/../p2p/..`). They are kept in touch with.
    pub bootstrap: Vec<Multiaddr>,
    /// Relays through which others reach this node behind its router, each with its peer id. Asks to a peer that cannot
    /// be dialled try them too.
    pub relays: Vec<Multiaddr>,
    /// What to carry for others as their relay; a relay also tells others whether they can be reached. `None`: no relay.
    pub relay_server: Option<RelayLimits>,
}

/// What a relay carries for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// Bytes that one relayed connection may carry, both ways together; 0: any number.
    pub circuit_bytes: u64,
}

impl Default for RelayLimits {
    /// Answers, and a small checkpoint: a large one needs the direct connection that hole punching makes.
    fn default() -> Self {
        Self {
            circuit_bytes: 16 << 20,
        }
    }
}

/// How a node is reached and finds others, as its operator chooses; the rest of a [`NetConfig`] follows from what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ways {
    /// See [`NetConfig::listen`].
    pub listen: Vec<SocketAddr>,
    /// See [`NetConfig::quic`].
    pub quic: bool,
    /// Whether peers that are not where the chain says are looked for among the others.
    pub discovery: bool,
    /// See [`NetConfig::bootstrap`].
    pub bootstrap: Vec<Multiaddr>,
    /// See [`NetConfig::relays`].
    pub relays: Vec<Multiaddr>,
    /// See [`NetConfig::relay_server`].
    pub relay_server: Option<RelayLimits>,
}

impl Ways {
    /// Those of a node that listens at one address.
    pub fn listening(at: impl Into<SocketAddr>) -> Self {
        Self {
            listen: vec![at.into()],
            ..Self::default()
        }
    }
}

impl Default for Ways {
    /// Everything that needs nothing: QUIC and discovery.
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            quic: true,
            discovery: true,
            bootstrap: Vec::new(),
            relays: Vec::new(),
            relay_server: None,
        }
    }
}

impl NetConfig {
    /// The same node with these ways, on the subnet that `network` names.
    pub fn with_ways(self, ways: Ways, network: SigningContext) -> Self {
        let Ways {
            listen,
            quic,
            discovery,
            bootstrap,
            relays,
            relay_server,
        } = ways;
        Self {
            listen,
            quic,
            discovery: discovery.then_some(network),
            bootstrap,
            relays,
            relay_server,
            ..self
        }
    }

    /// A node that only dials addresses that it is given; the rest is switched on field by field.
    pub fn new(identity: Identity, limits: Limits) -> Self {
        Self {
            identity,
            listen: Vec::new(),
            quic: true,
            kind: NodeKind::Other,
            spec: None,
            limits,
            inbound_queue: 1,
            discovery: None,
            bootstrap: Vec::new(),
            relays: Vec::new(),
            relay_server: None,
        }
    }
}

/// Why the network did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address cannot be listened on, mostly because another process holds the port.
    #[error("cannot listen on {addr}: {source}; give another port")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The transport's handshake keys could not be made.
    #[error("cannot set up the Noise handshake: {0}")]
    Noise(#[from] noise::Error),
    /// A relay or bootstrap address does not say which peer is to be found there.
    #[error("the address {address} does not end in /p2p/ and a peer id")]
    NoPeerId {
        /// The address.
        address: Multiaddr,
    },
}

/// The running network. Dropping it ends the network; [`NetHandle::shutdown`] ends it in order.
#[derive(Debug)]
pub struct NetHandle {
    local_addrs: Vec<SocketAddr>,
    has_relays: bool,
    reachability: watch::Receiver<Reachability>,
    serving: watch::Sender<Serving>,
    transcripts: watch::Sender<Transcripts>,
    specs: watch::Sender<Specs>,
    commands: mpsc::Sender<Command>,
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl NetHandle {
    /// The first address where connections are accepted, with the port that was taken; `None` when the node only dials.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addrs.first().copied()
    }

    /// All addresses where connections are accepted, in the order of [`NetConfig::listen`].
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// Where others reach this node; changes when a router gives it another address, or a relay comes or goes.
    pub fn reachability(&self) -> watch::Receiver<Reachability> {
        self.reachability.clone()
    }

    /// What this node can tell the chain of where it is; changes with [`NetHandle::reachability`].
    pub fn whereabouts(&self) -> Whereabouts {
        let listens = self.local_addr();
        // Who listens everywhere, or has a relay, knows no address by which others would come.
        let fixed = listens.filter(|addr| !addr.ip().is_unspecified() && !self.has_relays);
        Whereabouts::new(fixed, self.reachability())
    }

    /// Tells peers that this node is reached at an address, because the operator says so.
    pub async fn announce(&self, addr: SocketAddr) {
        // An error means that the network has ended, and nobody can be told anything.
        let _ = self.commands.send(Command::Announce(addr)).await;
    }

    /// What others are told that this node serves. A clone keeps the status true from anywhere.
    pub fn serving(&self) -> watch::Sender<Serving> {
        self.serving.clone()
    }

    /// The transcripts that others are told of; they are fetched as blobs. A clone keeps the table true from anywhere.
    pub fn transcripts(&self) -> watch::Sender<Transcripts> {
        self.transcripts.clone()
    }

    /// The specs that others can have from this node. A clone keeps the table true from anywhere.
    pub fn specs(&self) -> watch::Sender<Specs> {
        self.specs.clone()
    }

    /// The connections of this moment.
    pub async fn connections(&self) -> Vec<Connected> {
        let (reply, connections) = oneshot::channel();
        // No answer means that the network has ended, and its connections with it.
        let _ = self.commands.send(Command::Connections(reply)).await;
        connections.await.unwrap_or_default()
    }

    /// Refuses new requests, lets the responses on their way arrive within a short deadline, and ends. Its ports are free
    /// afterwards, so that the same process can listen on them again.
    pub async fn shutdown(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the network's event loop panicked");
        }
        released(&self.local_addrs).await;
    }
}

/// Waits until QUIC has closed its sockets, which tasks of its own do once the connections have drained.
async fn released(addrs: &[SocketAddr]) {
    let until = Instant::now() + RELEASE;
    for addr in addrs {
        while UdpSocket::bind(addr).is_err() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Starts the network: when this returns, it is listening.
pub async fn start(config: NetConfig) -> Result<(Client, Inbound, NetHandle), StartError> {
    let kept = kept(&config, Instant::now())?;
    let mut swarm = transport::swarm(&config)?;
    let has_relays = !config.relays.is_empty();
    let mut local_addrs = Vec::new();
    for addr in config.listen {
        let listening = transport::listen(&mut swarm, addr, config.quic).await;
        local_addrs.push(listening.map_err(|source| StartError::Listen { addr, source })?);
    }

    let (commands, command_queue) = mpsc::channel(COMMAND_QUEUE);
    let (requests, request_queue) = mpsc::channel(config.inbound_queue.max(1));
    let (reachable, reachability) = watch::channel(Reachability::default());
    let (serving, what_is_served) = watch::channel(Serving::default());
    let (transcripts, kept_transcripts) = watch::channel(Transcripts::default());
    let own = config.spec.as_ref();
    let own = own.map(|spec| (spec.digest(), spec.to_toml().into()));
    let spec = own.as_ref().map(|(digest, _)| *digest);
    let (specs, shown_specs) = watch::channel(own.into_iter().collect::<Specs>());
    let about = About {
        kind: config.kind,
        spec,
        specs: shown_specs,
        serving: what_is_served,
        transcripts: kept_transcripts,
    };
    let stop = CancellationToken::new();
    let wiring = Wiring {
        commands: command_queue,
        inbound: requests,
        reachable,
        stop: stop.clone(),
    };
    let settings = Settings {
        limits: config.limits.clone(),
        quic: config.quic,
        about,
        discovery: config.discovery,
    };
    let event_loop = EventLoop::new(swarm, settings, kept, wiring);
    let task = tokio::spawn(event_loop.run());
    let client = Client::new(commands.clone(), config.limits, config.quic);
    Ok((
        client,
        Inbound::new(request_queue),
        NetHandle {
            local_addrs,
            has_relays,
            reachability,
            serving,
            transcripts,
            specs,
            commands,
            stop: stop.drop_guard(),
            task,
        },
    ))
}

fn kept(config: &NetConfig, now: Instant) -> Result<Vec<Kept>, StartError> {
    let relays = config.relays.iter().map(|relay| (Role::Relay, relay));
    let bootstrap = config.bootstrap.iter().map(|peer| (Role::Bootstrap, peer));
    relays
        .chain(bootstrap)
        .map(|(role, address)| {
            Kept::new(role, address.clone(), now).ok_or_else(|| StartError::NoPeerId {
                address: address.clone(),
            })
        })
        .collect()
}
