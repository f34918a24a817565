//! Peers that a node keeps in touch with: relays that it is reached through, and peers that it joins the network by.
//!
//! Pure: time is an argument. A peer that is lost is tried again after a wait that doubles.

use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId, core::transport::ListenerId, multiaddr::Protocol};

/// First wait before a peer is tried again.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What a peer is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Others reach this node through it.
    Relay,
    /// It knows others.
    Bootstrap,
}

/// One such peer.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) role: Role,
    pub(crate) peer: PeerId,
    /// Where it is, with its peer id.
    pub(crate) address: Multiaddr,
    /// The reservation at a relay.
    pub(crate) listener: Option<ListenerId>,
    wait: Duration,
    due: Instant,
}

impl Kept {
    /// Peers from addresses that end in a peer id; `None` for an address that does not.
    pub(crate) fn new(role: Role, address: Multiaddr, now: Instant) -> Option<Self> {
        let peer = address.iter().find_map(|part| match part {
            Protocol::P2p(peer) => Some(peer),
            _ => None,
        })?;
        Some(Self {
            role,
            peer,
            address,
            listener: None,
            wait: FIRST_WAIT,
            due: now,
        })
    }

    /// Whether it is time to try, now that there is no touch; the next time is then further away.
    pub(crate) fn try_now(&mut self, now: Instant) -> bool {
        if now < self.due {
            return false;
        }
        self.due = now + self.wait;
        self.wait = self.wait.saturating_mul(2).min(LONGEST_WAIT);
        true
    }

    /// Begins anew with short waits, as the peer was reached.
    pub(crate) fn reached(&mut self) {
        self.wait = FIRST_WAIT;
    }

    /// The address at which a peer is reached through this relay.
    pub(crate) fn circuit_to(&self, peer: PeerId) -> Multiaddr {
        self.address
            .clone()
            .with(Protocol::P2pCircuit)
            .with(Protocol::P2p(peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_until_the_peer_is_reached() {
        let mut now = Instant::now();
        let address = format!("/ip4/127.0.0.1/tcp/1/p2p/{}", PeerId::random());
        let mut kept = Kept::new(Role::Relay, address.parse().unwrap(), now).unwrap();
        let mut waits = Vec::new();
        for _ in 0..10 {
            assert!(kept.try_now(now));
            let begin = now;
            while !kept.try_now(now) {
                now += Duration::from_millis(100);
            }
            waits.push((now - begin).as_millis());
            // The successful look just now was a try of its own; take its wait too.
            let begin = now;
            now = kept.due;
            waits.push((now - begin).as_millis());
        }
        assert_eq!(waits[..4], [500, 1000, 2000, 4000]);
        assert!(waits.iter().all(|wait| *wait <= 60_000));
        kept.reached();
        assert!(kept.try_now(now));
        assert_eq!(kept.due - now, FIRST_WAIT);
    }

    #[test]
    fn an_address_without_a_peer_id_is_none() {
        let address = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        assert!(Kept::new(Role::Bootstrap, address, Instant::now()).is_none());
    }
}
