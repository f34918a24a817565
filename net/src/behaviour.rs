//! What the swarm does: streams within limits, and finding and being found.

use std::{num::NonZeroUsize, time::Duration};

use athanor_spec::{PROTOCOL_VERSION, SigningContext};
use libp2p::{
    StreamProtocol, autonat,
    connection_limits::{self, ConnectionLimits},
    dcutr, identify,
    identity::Keypair,
    kad, ping, relay,
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
};

use crate::{NetConfig, RelayLimits, acceptor, gate, streams};

/// Connections that others may hold open here: far above the validators of a subnet, far below a process's files.
const MAX_INCOMING: u32 = 512;
/// Connections being set up by others at once: a handshake costs a signature, so strangers get few.
const MAX_PENDING_INCOMING: u32 = 64;
/// Connections to others: one per miner of a full subnet, with room for reconnects.
const MAX_OUTGOING: u32 = 1024;
/// Connections with one peer; simultaneous dials of both sides need two, a relayed one and its upgrade two more.
const MAX_PER_PEER: u32 = 4;
/// How often an idle connection is probed: a vanished peer is noticed within this and the ping's own timeout.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// How long a search for a peer's address may take; an ask waits for it.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Answers that a search takes at most, and the copies of a routing entry: a subnet has 256 members.
const REPLICATION: NonZeroUsize = NonZeroUsize::new(8).expect("8 > 0");
/// How long a relayed connection may last.
const CIRCUIT_DURATION: Duration = Duration::from_secs(600);
/// Relayed connections at once, over all peers, and those that one peer may have begun: a subnet's validators all come to a
/// miner behind a router.
const MAX_CIRCUITS: usize = 256;
const MAX_CIRCUITS_PER_PEER: usize = 8;

/// The composed behaviour.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    // The gate and the limits come first: a connection that they deny is seen by nobody else.
    pub(crate) gate: gate::Behaviour,
    limits: connection_limits::Behaviour,
    ping: ping::Behaviour,
    identify: identify::Behaviour,
    pub(crate) kad: Toggle<kad::Behaviour<kad::store::MemoryStore>>,
    relay_client: relay::client::Behaviour,
    pub(crate) dcutr: Toggle<dcutr::Behaviour>,
    autonat: Toggle<autonat::v2::client::Behaviour>,
    relay: Toggle<relay::Behaviour>,
    autonat_server: Toggle<autonat::v2::server::Behaviour>,
    pub(crate) streams: streams::Behaviour,
}

impl Behaviour {
    pub(crate) fn new(
        config: &NetConfig,
        keypair: &Keypair,
        relay_client: relay::client::Behaviour,
    ) -> Self {
        let local = keypair.public().to_peer_id();
        let connections = ConnectionLimits::default()
            .with_max_established_incoming(Some(MAX_INCOMING))
            .with_max_pending_incoming(Some(MAX_PENDING_INCOMING))
            .with_max_established_outgoing(Some(MAX_OUTGOING))
            .with_max_established_per_peer(Some(MAX_PER_PEER));
        let identify =
            identify::Config::new(format!("/athanor/{PROTOCOL_VERSION}"), keypair.public())
                .with_agent_version(concat!("athanor/", env!("CARGO_PKG_VERSION")).to_owned());
        let listens = !config.listen.is_empty() || !config.relays.is_empty();
        // A relay is a public node, so it can also tell others whether they are.
        let serves_others = config.relay_server.is_some();
        Self {
            gate: gate::Behaviour::new(),
            limits: connection_limits::Behaviour::new(connections),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL)),
            identify: identify::Behaviour::new(identify),
            kad: config
                .discovery
                .map(|network| kademlia(local, &network))
                .into(),
            relay_client,
            dcutr: Some(dcutr::Behaviour::new(local)).into(),
            autonat: listens.then(autonat::v2::client::Behaviour::default).into(),
            relay: config
                .relay_server
                .map(|limits| relay::Behaviour::new(local, relay_config(limits)))
                .into(),
            autonat_server: serves_others
                .then(autonat::v2::server::Behaviour::default)
                .into(),
            streams: streams::Behaviour::new(acceptor::protocols()),
        }
    }
}

/// The name of a subnet's own Kademlia: nodes of other chains and subnets are no neighbours.
pub(crate) fn kademlia_protocol(network: &SigningContext) -> StreamProtocol {
    let name = format!(
        "/athanor/{}/{}/kad/{PROTOCOL_VERSION}",
        network.genesis, network.netuid
    );
    // A name is invalid only if it does not begin with a slash.
    StreamProtocol::try_from_owned(name).unwrap_or(kad::PROTOCOL_NAME)
}

/// Routing only: no peer can store a record here.
fn kademlia(
    local: libp2p::PeerId,
    network: &SigningContext,
) -> kad::Behaviour<kad::store::MemoryStore> {
    let mut config = kad::Config::new(kademlia_protocol(network));
    config
        .set_query_timeout(LOOKUP_TIMEOUT)
        .set_replication_factor(REPLICATION)
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_record_ttl(None)
        .set_publication_interval(None)
        .set_provider_publication_interval(None);
    let store = kad::store::MemoryStore::new(local);
    kad::Behaviour::with_config(local, store, config)
}

fn relay_config(limits: RelayLimits) -> relay::Config {
    relay::Config {
        max_circuits: MAX_CIRCUITS,
        max_circuits_per_peer: MAX_CIRCUITS_PER_PEER,
        max_circuit_bytes: limits.circuit_bytes,
        max_circuit_duration: CIRCUIT_DURATION,
        ..relay::Config::default()
    }
}
