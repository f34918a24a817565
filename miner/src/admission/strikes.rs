//! Peers that send forged signatures: verifying is the dearest thing that a stranger can make this node do.

use std::{collections::HashMap, hash::Hash};

/// Forgeries that a peer may send before it is no longer listened to: a broken key gives as many at once.
const TOLERATED: u32 = 8;
/// How long it is not listened to, and how long a forgery counts.
const BANNED_MS: u64 = 60_000;
/// Peers that are remembered; with more, the one that is forgiven soonest is forgotten.
const MAX_PEERS: usize = 1024;

/// Forgeries per peer. `P` is who the connection proved to be, never who the message says it is: nobody can get another
/// peer punished.
#[derive(Debug)]
pub struct Strikes<P> {
    peers: HashMap<P, Record>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    forgeries: u32,
    forgiven_ms: u64,
}

impl<P> Default for Strikes<P> {
    fn default() -> Self {
        Self {
            peers: HashMap::new(),
        }
    }
}

impl<P: Copy + Eq + Hash> Strikes<P> {
    /// Whether messages of a peer are refused unverified.
    pub fn is_banned(&self, peer: &P, now_ms: u64) -> bool {
        self.peers
            .get(peer)
            .is_some_and(|record| record.forgeries >= TOLERATED && now_ms < record.forgiven_ms)
    }

    /// A peer sent a forgery.
    pub fn strike(&mut self, peer: P, now_ms: u64) {
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(&peer) {
            self.peers.retain(|_, record| now_ms < record.forgiven_ms);
            if self.peers.len() >= MAX_PEERS {
                let soonest = self.peers.iter().min_by_key(|(_, r)| r.forgiven_ms);
                let soonest = soonest.map(|(peer, _)| *peer);
                soonest.and_then(|peer| self.peers.remove(&peer));
            }
        }
        let record = self.peers.entry(peer).or_insert(Record {
            forgeries: 0,
            forgiven_ms: 0,
        });
        if now_ms >= record.forgiven_ms {
            record.forgeries = 0;
        }
        record.forgeries = record.forgeries.saturating_add(1);
        record.forgiven_ms = now_ms.saturating_add(BANNED_MS);
    }

    /// Peers remembered.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether nobody is remembered.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }
}
