//! Who may connect: nobody whose faults have banned it.

use std::{
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

/// A connection was refused.
#[derive(Clone, Copy, Debug, Error)]
#[error("banned for its faults")]
struct Banned;

/// The behaviour. It denies inbound connections only: whom this node asks is its own affair.
pub(crate) struct Behaviour {
    peers: Penalties<PeerId>,
    addresses: Penalties<IpAddr>,
}

impl Behaviour {
    pub(crate) fn new() -> Self {
        Self {
            peers: Penalties::new(),
            addresses: Penalties::new(),
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
        if let Some(ip) = direct_ip(from)
            && let Some(ban) = self.addresses.count(ip, Fault::Handshake, Instant::now())
        {
            tracing::warn!(%ip, seconds = ban.as_secs(), "banned an address for failed handshakes");
        }
    }
}

/// The address that a connection comes from, unless it comes through a relay, who is not to blame.
fn direct_ip(address: &Multiaddr) -> Option<IpAddr> {
    if address.iter().any(|part| part == Protocol::P2pCircuit) {
        return None;
    }
    address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    })
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = std::convert::Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        match direct_ip(remote) {
            Some(ip) if self.addresses.is_banned(&ip, Instant::now()) => {
                Err(ConnectionDenied::new(Banned))
            }
            _ => Ok(()),
        }
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if self.peers.is_banned(&peer, Instant::now()) {
            return Err(ConnectionDenied::new(Banned));
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

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

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
