//! Where others reach a node, and what of it the chain is told.

use std::{net::SocketAddr, time::Duration};

use libp2p::{Multiaddr, multiaddr::Protocol};
use tokio::{sync::watch, time::timeout};

use crate::transport;

/// Where others reach a node, as far as it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reachability {
    /// Addresses that were announced by [`crate::NetHandle::announce`], or at which a relay or bootstrap peer has reached
    /// this node; sorted. What other peers say is not believed.
    pub direct: Vec<SocketAddr>,
    /// Addresses through relays, with their peer ids; sorted.
    pub relayed: Vec<Multiaddr>,
}

impl Reachability {
    /// The one address to tell the chain: a direct one, else that of a relay, which answers there in this node's stead.
    /// `current` stays as long as it is as good as any other. `None`: nobody can reach this node yet.
    pub fn address(&self, current: Option<SocketAddr>) -> Option<SocketAddr> {
        let relays: Vec<SocketAddr> = self.relayed.iter().filter_map(relay_addr).collect();
        let best = match self.direct.is_empty() {
            true => &relays,
            false => &self.direct,
        };
        current
            .filter(|current| best.contains(current))
            .or(best.first().copied())
    }
}

/// Where the relay of a relayed address is.
fn relay_addr(address: &Multiaddr) -> Option<SocketAddr> {
    let relay: Multiaddr = address
        .iter()
        .take_while(|part| !matches!(part, Protocol::P2pCircuit))
        .collect();
    transport::socket_addr(&relay)
}

/// What a node can tell the chain of where it is.
#[derive(Clone, Debug)]
pub struct Whereabouts {
    /// The address listened on, where it is one that others can dial.
    fixed: Option<SocketAddr>,
    reachability: watch::Receiver<Reachability>,
}

impl Whereabouts {
    pub(crate) fn new(
        fixed: Option<SocketAddr>,
        reachability: watch::Receiver<Reachability>,
    ) -> Self {
        Self {
            fixed,
            reachability,
        }
    }

    /// The address to tell; `current` is what the chain says already.
    pub fn now(&self, current: Option<SocketAddr>) -> Option<SocketAddr> {
        self.fixed
            .or_else(|| self.reachability.borrow().address(current))
    }

    /// Waits until there is an address to tell, but no longer than `within`.
    pub async fn wait(
        &mut self,
        current: Option<SocketAddr>,
        within: Duration,
    ) -> Option<SocketAddr> {
        if self.fixed.is_none() {
            let known = self
                .reachability
                .wait_for(|reached| reached.address(None).is_some());
            let _ = timeout(within, known).await;
        }
        self.now(current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relayed(port: u16) -> Multiaddr {
        let (relay, own) = (libp2p::PeerId::random(), libp2p::PeerId::random());
        let address =
            format!("/ip4/192.0.2.9/udp/{port}/quic-v1/p2p/{relay}/p2p-circuit/p2p/{own}");
        address.parse().unwrap()
    }

    #[test]
    fn a_direct_address_is_told_before_a_relay_s_and_no_address_without_need_changes() {
        let addr = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
        let mut reached = Reachability::default();
        assert_eq!(reached.address(addr("192.0.2.1:1")), None);
        reached.relayed = vec![relayed(7), relayed(8)];
        assert_eq!(reached.address(None), addr("192.0.2.9:7"));
        assert_eq!(reached.address(addr("192.0.2.9:8")), addr("192.0.2.9:8"));
        assert_eq!(reached.address(addr("192.0.2.9:9")), addr("192.0.2.9:7"));
        reached.direct = vec![
            "192.0.2.1:1".parse().unwrap(),
            "192.0.2.2:1".parse().unwrap(),
        ];
        assert_eq!(reached.address(addr("192.0.2.9:8")), addr("192.0.2.1:1"));
        assert_eq!(reached.address(addr("192.0.2.2:1")), addr("192.0.2.2:1"));
    }

    #[tokio::test]
    async fn who_listens_at_an_address_tells_it_and_others_wait_for_one() {
        let (found, reachability) = watch::channel(Reachability::default());
        let own = "192.0.2.5:5".parse().unwrap();
        let mut fixed = Whereabouts::new(Some(own), reachability.clone());
        assert_eq!(fixed.wait(None, Duration::ZERO).await, Some(own));
        let mut unknown = Whereabouts::new(None, reachability);
        assert_eq!(unknown.wait(None, Duration::ZERO).await, None);
        found.send_modify(|it| it.relayed.push(relayed(7)));
        let relay = unknown.wait(None, Duration::from_secs(20)).await;
        assert_eq!(relay, Some("192.0.2.9:7".parse().unwrap()));
    }
}
