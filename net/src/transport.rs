//! Making the swarm and its listeners: QUIC and TCP side by side on one port number.

use std::{io, net::SocketAddr, time::Duration};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder, TransportError,
    core::{transport::ListenerId, upgrade::Version},
    multiaddr::Protocol,
    noise,
    swarm::SwarmEvent,
    tcp, yamux,
};
use socket2::{Domain, Socket, Type};

use crate::{NetConfig, StartError, acceptor::MAX_STREAMS_PER_PEER, behaviour::Behaviour};

/// How long a connection without requests is kept, so that a round's scattered asks share one handshake.
const IDLE_CONNECTION: Duration = Duration::from_secs(300);
/// Streams of one connection that may be under negotiation at once: a burst of asks as large as a peer may have served.
const MAX_NEGOTIATING: usize = 256;
/// How long a QUIC handshake may take. Nothing tells that nobody listens on a UDP port, so a dead peer costs all of it.
const QUIC_HANDSHAKE: Duration = Duration::from_secs(3);
/// How long the other end of a QUIC connection may be silent; it is heard of every five seconds. A machine that stands still for longer
/// than QUIC's usual ten seconds, for its disk or its hypervisor, loses no answer by it, as it would not over TCP.
const QUIC_SILENCE: Duration = Duration::from_secs(30);
/// Free ports that are tried until one is free for both TCP and UDP.
const PORT_ATTEMPTS: usize = 16;

/// The swarm, not yet listening.
pub(crate) fn swarm(config: &NetConfig) -> Result<Swarm<Behaviour>, StartError> {
    let swarm = SwarmBuilder::with_existing_identity(config.identity.keypair())
        .with_tokio()
        .with_tcp(
            tcp::Config::default().nodelay(true),
            noise::Config::new,
            yamux_config,
        )?
        .with_quic_config(|mut quic| {
            quic.max_concurrent_stream_limit = 4 * MAX_STREAMS_PER_PEER as u32;
            quic.handshake_timeout = QUIC_HANDSHAKE;
            quic.max_idle_timeout = QUIC_SILENCE.as_millis() as u32;
            quic
        })
        .with_relay_client(noise::Config::new, yamux_config)?
        .with_behaviour(|keypair, relay_client| Behaviour::new(config, keypair, relay_client))
        .unwrap_or_else(|error| match error {})
        .with_swarm_config(|swarm| {
            swarm
                .with_idle_connection_timeout(IDLE_CONNECTION)
                .with_max_negotiating_inbound_streams(MAX_NEGOTIATING)
                // QUIC first, TCP a moment later where QUIC does not get through.
                .with_smart_dial()
                // A stream's first bytes travel with its negotiation, which saves a round trip an ask.
                .with_substream_upgrade_protocol_override(Version::V1Lazy)
        })
        .build();
    Ok(swarm)
}

/// Yamux ends a connection that holds more streams than this, so it must lie above what both sides may serve.
fn yamux_config() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(4 * MAX_STREAMS_PER_PEER);
    config
}

/// Listens on an address and returns it with the port that was taken.
pub(crate) async fn listen(
    swarm: &mut Swarm<Behaviour>,
    addr: SocketAddr,
    quic: bool,
) -> io::Result<SocketAddr> {
    let mut attempts = if addr.port() == 0 { PORT_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        let addr = free_port(addr, quic)?;
        match listen_once(swarm, addr, quic).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {}
            done => return done.map(|()| addr),
        }
    }
}

/// The address with a port that nobody holds, or the error of who does.
fn free_port(addr: SocketAddr, quic: bool) -> io::Result<SocketAddr> {
    // libp2p listens with SO_REUSEPORT, which would share a port with another process of the same user in silence.
    let tcp = hold(addr, Type::STREAM)?;
    tcp.listen(1)?;
    let addr = tcp.local_addr()?.as_socket().unwrap_or(addr);
    if quic {
        drop(hold(addr, Type::DGRAM)?);
    }
    Ok(addr)
}

/// A socket at an address. One for IPv6 is for IPv6 alone, as libp2p's are, so that `0.0.0.0` and `::` can share a port.
fn hold(addr: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), kind, None)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if kind == Type::STREAM {
        // Connections of an earlier run that are still closing are in nobody's way.
        socket.set_reuse_address(true)?;
    }
    socket.bind(&addr.into())?;
    Ok(socket)
}

async fn listen_once(swarm: &mut Swarm<Behaviour>, addr: SocketAddr, quic: bool) -> io::Result<()> {
    let tcp = listen_on(swarm, tcp_address(addr)).await?;
    if quic && let Err(error) = listen_on(swarm, quic_address(addr)).await {
        swarm.remove_listener(tcp);
        return Err(error);
    }
    Ok(())
}

async fn listen_on(swarm: &mut Swarm<Behaviour>, address: Multiaddr) -> io::Result<ListenerId> {
    let listener = swarm.listen_on(address).map_err(|error| match error {
        TransportError::Other(source) => source,
        TransportError::MultiaddrNotSupported(_) => io::ErrorKind::Unsupported.into(),
    })?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { listener_id, .. } if listener_id == listener => {
                return Ok(listener);
            }
            SwarmEvent::ListenerError {
                listener_id, error, ..
            } if listener_id == listener => return Err(error),
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

/// The ways to dial a socket address.
pub(crate) fn addresses(addr: SocketAddr, quic: bool) -> Vec<Multiaddr> {
    let tcp = tcp_address(addr);
    if quic {
        vec![quic_address(addr), tcp]
    } else {
        vec![tcp]
    }
}

/// Where a peer is dialled, with its peer id: over QUIC, else over TCP.
pub fn address_of(addr: SocketAddr, peer: PeerId, quic: bool) -> Multiaddr {
    let address = if quic {
        quic_address(addr)
    } else {
        tcp_address(addr)
    };
    address.with(Protocol::P2p(peer))
}

fn tcp_address(addr: SocketAddr) -> Multiaddr {
    Multiaddr::empty()
        .with(addr.ip().into())
        .with(Protocol::Tcp(addr.port()))
}

fn quic_address(addr: SocketAddr) -> Multiaddr {
    Multiaddr::empty()
        .with(addr.ip().into())
        .with(Protocol::Udp(addr.port()))
        .with(Protocol::QuicV1)
}

/// The socket address of a direct libp2p address; `None` for a relayed one.
pub(crate) fn socket_addr(address: &Multiaddr) -> Option<SocketAddr> {
    let (mut ip, mut port) = (None, None);
    for part in address {
        match part {
            Protocol::Ip4(v4) => ip = Some(v4.into()),
            Protocol::Ip6(v6) => ip = Some(v6.into()),
            Protocol::Tcp(number) | Protocol::Udp(number) => port = Some(number),
            Protocol::P2pCircuit => return None,
            _ => {}
        }
    }
    Some(SocketAddr::new(ip?, port?))
}
