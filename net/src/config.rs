//! Starting and ending the network.

use std::{io, net::SocketAddr, time::Duration};

use athanor_spec::params::Limits;
use futures::StreamExt;
use libp2p::{
    Multiaddr, Swarm, SwarmBuilder, TransportError, core::upgrade::Version, multiaddr::Protocol,
    noise, swarm::SwarmEvent, tcp, yamux,
};
use thiserror::Error;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    Client, Identity, Inbound, acceptor::MAX_STREAMS_PER_PEER, behaviour::Behaviour,
    event_loop::EventLoop,
};

/// How long a connection without requests is kept, so that a round's scattered asks share one handshake.
const IDLE_CONNECTION: Duration = Duration::from_secs(300);
/// Streams of one connection that may be under negotiation at once: a burst of asks as large as a peer may have served.
const MAX_NEGOTIATING: usize = 256;
/// Commands that may wait for the event loop; senders wait beyond that.
const COMMAND_QUEUE: usize = 256;

/// What a node's network needs.
#[derive(Clone, Debug)]
pub struct NetConfig {
    /// The key that proves the node's peer id.
    pub identity: Identity,
    /// Where to accept connections (TCP; port 0 takes a free one). `None`: only dial.
    pub listen: Option<SocketAddr>,
    /// The spec's bounds; they give the largest messages in bytes.
    pub limits: Limits,
    /// Requests that may wait for [`Inbound::recv`]; beyond that the network itself refuses with `Overloaded`.
    pub inbound_queue: usize,
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
}

/// The running network. Dropping it ends the network; [`NetHandle::shutdown`] ends it in order.
#[derive(Debug)]
pub struct NetHandle {
    local_addr: Option<SocketAddr>,
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl NetHandle {
    /// Where connections are accepted, with the port that was taken; `None` when the node only dials.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// Refuses new requests, lets the responses on their way arrive within a short deadline, and ends.
    pub async fn shutdown(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the network's event loop panicked");
        }
    }
}

/// Starts the network: when this returns, it is listening.
pub async fn start(config: NetConfig) -> Result<(Client, Inbound, NetHandle), StartError> {
    let mut swarm = SwarmBuilder::with_existing_identity(config.identity.keypair())
        .with_tokio()
        .with_tcp(
            tcp::Config::default().nodelay(true),
            noise::Config::new,
            yamux_config,
        )?
        .with_behaviour(|_| Behaviour::new())
        .unwrap_or_else(|error| match error {})
        .with_swarm_config(|swarm| {
            swarm
                .with_idle_connection_timeout(IDLE_CONNECTION)
                .with_max_negotiating_inbound_streams(MAX_NEGOTIATING)
                // A stream's first bytes travel with its negotiation, which saves a round trip an ask.
                .with_substream_upgrade_protocol_override(Version::V1Lazy)
        })
        .build();
    let local_addr = match config.listen {
        Some(addr) => Some(
            listen(&mut swarm, addr)
                .await
                .map_err(|source| StartError::Listen { addr, source })?,
        ),
        None => None,
    };

    let (commands, command_queue) = mpsc::channel(COMMAND_QUEUE);
    let (requests, request_queue) = mpsc::channel(config.inbound_queue.max(1));
    let stop = CancellationToken::new();
    let event_loop = EventLoop::new(
        swarm,
        config.limits.clone(),
        command_queue,
        requests,
        stop.clone(),
    );
    let task = tokio::spawn(event_loop.run());
    let client = Client::new(commands, config.limits);
    Ok((
        client,
        Inbound::new(request_queue),
        NetHandle {
            local_addr,
            stop: stop.drop_guard(),
            task,
        },
    ))
}

/// Yamux ends a connection that holds more streams than this, so it must lie above what both sides may serve.
fn yamux_config() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(4 * MAX_STREAMS_PER_PEER);
    config
}

async fn listen(swarm: &mut Swarm<Behaviour>, addr: SocketAddr) -> io::Result<SocketAddr> {
    if addr.port() != 0 {
        // libp2p listens with SO_REUSEPORT, which would share a port with another process of the same user in silence.
        drop(std::net::TcpListener::bind(addr)?);
    }
    let listener = swarm
        .listen_on(multiaddr(addr))
        .map_err(|error| match error {
            TransportError::Other(source) => source,
            TransportError::MultiaddrNotSupported(_) => io::ErrorKind::Unsupported.into(),
        })?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => {
                if let Some(port) = address.iter().find_map(|part| match part {
                    Protocol::Tcp(port) => Some(port),
                    _ => None,
                }) {
                    return Ok(SocketAddr::new(addr.ip(), port));
                }
            }
            SwarmEvent::ListenerError { error, .. } => return Err(error),
            SwarmEvent::ListenerClosed {
                listener_id,
                reason,
                ..
            } if listener_id == listener => {
                return Err(reason
                    .err()
                    .unwrap_or_else(|| io::ErrorKind::ConnectionAborted.into()));
            }
            _ => {}
        }
    }
}

/// The libp2p spelling of a socket address.
pub(crate) fn multiaddr(addr: SocketAddr) -> Multiaddr {
    Multiaddr::empty()
        .with(addr.ip().into())
        .with(Protocol::Tcp(addr.port()))
}
