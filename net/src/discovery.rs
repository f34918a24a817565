//! Finding where a peer is now, when it is not where the chain says.

use std::collections::HashMap;

use athanor_spec::SigningContext;
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, identify,
    kad::{self, GetClosestPeersError, GetClosestPeersOk, QueryId, QueryResult},
};

use crate::behaviour;

/// Addresses of one peer that are believed; each costs a dial.
const MAX_ADDRESSES: usize = 8;

/// Searches under way. There is at most one for each peer that asks wait for, so their number is bounded by the asks.
pub(crate) struct Discovery {
    protocol: StreamProtocol,
    searches: HashMap<QueryId, PeerId>,
}

type Kademlia = kad::Behaviour<kad::store::MemoryStore>;

impl Discovery {
    pub(crate) fn new(network: &SigningContext) -> Self {
        Self {
            protocol: behaviour::kademlia_protocol(network),
            searches: HashMap::new(),
        }
    }

    /// Learns a peer's own addresses, if it is of this subnet.
    pub(crate) fn learn(&self, kad: &mut Kademlia, peer: PeerId, info: &identify::Info) {
        if info.protocols.contains(&self.protocol) {
            for address in info.listen_addrs.iter().take(MAX_ADDRESSES) {
                kad.add_address(&peer, address.clone());
            }
        }
    }

    /// Begins a search.
    pub(crate) fn look_up(&mut self, kad: &mut Kademlia, peer: PeerId) {
        self.searches.insert(kad.get_closest_peers(peer), peer);
    }

    /// What a search has found, once it has ended: perhaps no address.
    pub(crate) fn on_event(&mut self, event: kad::Event) -> Option<(PeerId, Vec<Multiaddr>)> {
        let kad::Event::OutboundQueryProgressed {
            id,
            result: QueryResult::GetClosestPeers(result),
            step,
            ..
        } = event
        else {
            return None;
        };
        if !step.last {
            return None;
        }
        let peer = self.searches.remove(&id)?;
        let (Ok(GetClosestPeersOk { peers, .. })
        | Err(GetClosestPeersError::Timeout { peers, .. })) = result;
        let found = peers.into_iter().find(|found| found.peer_id == peer);
        let mut addresses = found.map(|found| found.addrs).unwrap_or_default();
        addresses.truncate(MAX_ADDRESSES);
        Some((peer, addresses))
    }
}
