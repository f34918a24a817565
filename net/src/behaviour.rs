//! What the swarm does: request-response within limits.

use std::time::Duration;

use athanor_spec::{params::Limits, wire};
use libp2p::{
    StreamProtocol,
    connection_limits::{self, ConnectionLimits},
    ping,
    request_response::{self, ProtocolSupport},
    swarm::NetworkBehaviour,
};

use crate::codec::ScaleCodec;

/// Longest life of one request on the wire, dial included; callers give shorter ones. It frees what a peer that never
/// answers holds here, and bounds how long a server may take.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Requests per connection at once; more are dropped by the stream limit and seen as a closed stream.
const MAX_STREAMS_PER_CONNECTION: usize = 256;
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
    pub(crate) requests: request_response::Behaviour<ScaleCodec>,
}

impl Behaviour {
    pub(crate) fn new(limits: &Limits) -> Self {
        let connections = ConnectionLimits::default()
            .with_max_established_incoming(Some(MAX_INCOMING))
            .with_max_pending_incoming(Some(MAX_PENDING_INCOMING))
            .with_max_established_outgoing(Some(MAX_OUTGOING))
            .with_max_established_per_peer(Some(MAX_PER_PEER));
        Self {
            limits: connection_limits::Behaviour::new(connections),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL)),
            requests: request_response::Behaviour::with_codec(
                ScaleCodec::new(limits),
                [(
                    StreamProtocol::new(wire::PROTOCOL_NAME),
                    ProtocolSupport::Full,
                )],
                request_response::Config::default()
                    .with_request_timeout(REQUEST_TIMEOUT)
                    .with_max_concurrent_streams(MAX_STREAMS_PER_CONNECTION),
            ),
        }
    }
}
