//! How many exchanges may be under way, over all peers and with one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use libp2p::PeerId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The right to one exchange; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Slot {
    _of_peer: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The peer has all of its own.
    Peer,
    /// All peers together have all there are, which is no single one's fault.
    All,
}

/// Places for exchanges.
#[derive(Debug)]
pub(crate) struct Slots {
    all: Arc<Semaphore>,
    max: usize,
    max_per_peer: usize,
    /// Peers of late; those without an exchange are forgotten when there are more than places.
    peers: Mutex<HashMap<PeerId, Arc<Semaphore>>>,
}

impl Slots {
    pub(crate) fn new(max: usize, max_per_peer: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(max)),
            max,
            max_per_peer,
            peers: Mutex::default(),
        }
    }

    /// A place, if there is one.
    pub(crate) fn try_take(&self, peer: PeerId) -> Result<Slot, Full> {
        Ok(Slot {
            _of_peer: self.of(peer).try_acquire_owned().map_err(|_| Full::Peer)?,
            _of_all: self
                .all
                .clone()
                .try_acquire_owned()
                .map_err(|_| Full::All)?,
        })
    }

    /// A place, once there is one; `None` never comes, as the places are never closed.
    pub(crate) async fn take(&self, peer: PeerId) -> Option<Slot> {
        Some(Slot {
            _of_peer: self.of(peer).acquire_owned().await.ok()?,
            _of_all: self.all.clone().acquire_owned().await.ok()?,
        })
    }

    fn of(&self, peer: PeerId) -> Arc<Semaphore> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if peers.len() > self.max {
            // A place that somebody waits for or holds has another owner than this table.
            peers.retain(|_, slots| {
                Arc::strong_count(slots) > 1 || slots.available_permits() < self.max_per_peer
            });
        }
        peers
            .entry(peer)
            .or_insert_with(|| Arc::new(Semaphore::new(self.max_per_peer)))
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_peer_nor_all_of_them_hold_more_than_their_places() {
        let slots = Slots::new(3, 2);
        let [greedy, modest] = [PeerId::random(), PeerId::random()];
        let held = [slots.try_take(greedy), slots.try_take(greedy)];
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(slots.try_take(greedy).unwrap_err(), Full::Peer);
        let other = slots.try_take(modest);
        assert!(other.is_ok());
        assert_eq!(slots.try_take(PeerId::random()).unwrap_err(), Full::All);
        drop(held);
        assert!(slots.try_take(PeerId::random()).is_ok());
    }

    #[test]
    fn peers_without_an_exchange_are_forgotten() {
        let slots = Slots::new(3, 2);
        let held = slots.try_take(PeerId::random());
        for _ in 0..100 {
            assert!(slots.try_take(PeerId::random()).is_ok());
        }
        assert!(slots.peers.lock().unwrap().len() <= 4);
        drop(held);
    }
}
