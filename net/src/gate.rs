//! Who may connect: nobody whose faults have banned it.
//!
//! A peer is banned, as it has proved who it is. An address is not: many peers may share one, and who sends the first packet of
//! a QUIC handshake may write any address on it. Where many handshakes fail, few may be under way at once.

use std::{
    collections::HashMap,
    net::IpAddr,
    task::{Context, Poll},
    time::Instant,
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    multiaddr::Protocol,
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm, dummy,
    },
};
use thiserror::Error;

use crate::penalties::{Fault, Penalties};

/// Handshakes that may be under way at once with one origin: half of all, so that nobody keeps everybody else out.
const HANDSHAKES: usize = 32;
/// ... and with one where many have failed of late.
const FEW_HANDSHAKES: usize = 4;

/// A connection was refused.
#[derive(Clone, Copy, Debug, Error)]
enum Denied {
    /// By what the peer has done.
    #[error("banned for its faults")]
    Banned,
    /// By what comes from its address.
    #[error("too many handshakes with its address")]
    Crowded,
}

/// Where a handshake seems to come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Origin {
    ip: IpAddr,
    /// Over TCP, which proves the address before it says a word; QUIC does so by the handshake.
    proven: bool,
}

/// The behaviour. It denies inbound connections only: whom this node asks is its own affair.
pub(crate) struct Behaviour {
    peers: Penalties<PeerId>,
    origins: Penalties<Origin>,
    /// Handshakes under way; as many as the swarm's limits allow.
    handshakes: HashMap<ConnectionId, Origin>,
}

impl Behaviour {
    pub(crate) fn new() -> Self {
        Self {
            peers: Penalties::new(),
            origins: Penalties::new(),
            handshakes: HashMap::new(),
        }
    }

    /// Counts a peer's fault; true if its connections are to be closed.
    pub(crate) fn peer_fault(&mut self, peer: PeerId, fault: Fault) -> bool {
        let ban = self.peers.count(peer, fault, Instant::now());
        if let Some(ban) = ban {
            tracing::warn!(%peer, ?fault, seconds = ban.as_secs(), "banned a peer for its faults");
        }
        ban.is_some()
    }

    /// Counts a failed handshake from an address that has proved no peer id.
    pub(crate) fn handshake_failed(&mut self, from: &Multiaddr) {
        if let Some(origin) = origin(from)
            && let Some(ban) = self.origins.count(origin, Fault::Handshake, Instant::now())
        {
            let (ip, tcp, seconds) = (origin.ip, origin.proven, ban.as_secs());
            tracing::warn!(%ip, tcp, seconds, "few handshakes at once with an address where many have failed");
        }
    }

    /// Whether one more handshake may begin.
    fn admit(
        &mut self,
        connection: ConnectionId,
        from: &Multiaddr,
        now: Instant,
    ) -> Result<(), Denied> {
        let Some(origin) = origin(from) else {
            return Ok(());
        };
        let under_way = self.handshakes.values().filter(|other| **other == origin);
        let most = match self.origins.is_banned(&origin, now) {
            true => FEW_HANDSHAKES,
            false => HANDSHAKES,
        };
        if under_way.count() >= most {
            return Err(Denied::Crowded);
        }
        self.handshakes.insert(connection, origin);
        Ok(())
    }
}

/// Where a connection comes from, unless it comes through a relay, who is not to blame.
fn origin(address: &Multiaddr) -> Option<Origin> {
    if address.iter().any(|part| part == Protocol::P2pCircuit) {
        return None;
    }
    let ip = address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    })?;
    let proven = address.iter().any(|part| matches!(part, Protocol::Tcp(_)));
    Some(Origin { ip, proven })
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = std::convert::Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.admit(connection, remote, Instant::now())
            .map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handshakes.remove(&connection);
        if self.peers.is_banned(&peer, Instant::now()) {
            return Err(ConnectionDenied::new(Denied::Banned));
        }
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ListenFailure(failure) = event {
            self.handshakes.remove(&failure.connection_id);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static BEGUN: AtomicUsize = AtomicUsize::new(0);
    const TCP: &str = "/ip4/192.0.2.7/tcp/5000";
    const QUIC: &str = "/ip4/192.0.2.7/udp/5000/quic-v1";

    fn begin(gate: &mut Behaviour, from: &str) -> Result<ConnectionId, Denied> {
        let connection = ConnectionId::new_unchecked(BEGUN.fetch_add(1, Ordering::Relaxed));
        let from = from.parse().unwrap();
        gate.admit(connection, &from, Instant::now())
            .map(|()| connection)
    }

    #[test]
    fn who_shares_an_address_with_those_whose_handshakes_fail_still_comes_in() {
        let mut gate = Behaviour::new();
        for _ in 0..40 {
            gate.handshake_failed(&TCP.parse().unwrap());
        }
        let begun: Vec<_> = (0..FEW_HANDSHAKES)
            .map(|_| begin(&mut gate, TCP).unwrap())
            .collect();
        assert!(matches!(begin(&mut gate, TCP), Err(Denied::Crowded)));
        // An address that somebody wrote on a packet says nothing of who has it, and the other way round.
        let over_quic: Vec<_> = (0..HANDSHAKES)
            .map(|_| begin(&mut gate, QUIC).unwrap())
            .collect();
        assert!(matches!(begin(&mut gate, QUIC), Err(Denied::Crowded)));
        assert!(begin(&mut gate, "/ip4/192.0.2.8/tcp/5000").is_ok());

        let peer = PeerId::random();
        let (from, to) = (TCP.parse().unwrap(), QUIC.parse().unwrap());
        let established = gate.handle_established_inbound_connection(begun[0], peer, &to, &from);
        assert!(established.is_ok());
        assert!(begin(&mut gate, TCP).is_ok());
        let failed = libp2p::swarm::ListenError::Aborted;
        gate.on_swarm_event(FromSwarm::ListenFailure(
            libp2p::swarm::behaviour::ListenFailure {
                local_addr: &from,
                send_back_addr: &to,
                error: &failed,
                connection_id: over_quic[0],
                peer_id: None,
            },
        ));
        assert!(begin(&mut gate, QUIC).is_ok());
    }

    #[test]
    fn a_peer_with_too_many_faults_is_kept_out_wherever_it_comes_from() {
        let (mut gate, peer) = (Behaviour::new(), PeerId::random());
        for _ in 0..3 {
            gate.peer_fault(peer, Fault::Malformed);
        }
        for from in [TCP, QUIC, "/ip4/192.0.2.8/tcp/5000"] {
            let from: Multiaddr = from.parse().unwrap();
            let connection = ConnectionId::new_unchecked(7);
            let denied = gate.handle_established_inbound_connection(connection, peer, &from, &from);
            assert!(denied.is_err());
        }
    }
}
