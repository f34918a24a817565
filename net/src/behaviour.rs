//! What the swarm does: streams within limits.

use std::time::Duration;

use libp2p::{
    connection_limits::{self, ConnectionLimits},
    ping,
    swarm::NetworkBehaviour,
};

use crate::{acceptor, streams};

/// Connections that others may hold open here: far above the validators of a subnet, far below a process's files.
const MAX_INCOMING: u32 = 512;
/// Connections being set up by others at once: a handshake costs a signature, so strangers get few.
const MAX_PENDING_INCOMING: u32 = 64;
/// Connections to others: one per miner of a full subnet, with room for reconnects.
const MAX_OUTGOING: u32 = 1024;
/// Connections with one peer; simultaneous dials of both sides need two.
const MAX_PER_PEER: u32 = 4;
/// How often an idle connection is probed: a vanished peer is noticed within this and the ping's own timeout.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// The composed behaviour.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    limits: connection_limits::Behaviour,
    ping: ping::Behaviour,
    pub(crate) streams: streams::Behaviour,
}

impl Behaviour {
    pub(crate) fn new() -> Self {
        let connections = ConnectionLimits::default()
            .with_max_established_incoming(Some(MAX_INCOMING))
            .with_max_pending_incoming(Some(MAX_PENDING_INCOMING))
            .with_max_established_outgoing(Some(MAX_OUTGOING))
            .with_max_established_per_peer(Some(MAX_PER_PEER));
        Self {
            limits: connection_limits::Behaviour::new(connections),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL)),
            streams: streams::Behaviour::new(acceptor::protocols()),
        }
    }
}
