//! How often a peer may ask what costs no signature.
//!
//! Pure: time is an argument. The table is bounded; when it is full, those whose allowance is whole again are forgotten.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use libp2p::PeerId;

/// Questions at once.
const BURST: f64 = 8.0;
/// Questions a second in the long run.
const PER_SECOND: f64 = 2.0;
/// Peers remembered.
const REMEMBERED: usize = 4096;

/// Token buckets, one a peer.
#[derive(Debug, Default)]
pub(crate) struct Allowances(HashMap<PeerId, (f64, Instant)>);

impl Allowances {
    /// Takes one question from a peer's allowance, or says how long to wait.
    pub(crate) fn take(&mut self, peer: PeerId, now: Instant) -> Result<(), Duration> {
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&peer) {
            self.0
                .retain(|_, (left, at)| refilled(*left, *at, now) < BURST);
            if self.0.len() >= REMEMBERED {
                return Err(Duration::from_secs_f64(1.0 / PER_SECOND));
            }
        }
        let (left, at) = self.0.entry(peer).or_insert((BURST, now));
        let available = refilled(*left, *at, now);
        if available < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - available) / PER_SECOND));
        }
        (*left, *at) = (available - 1.0, now);
        Ok(())
    }
}

fn refilled(left: f64, at: Instant, now: Instant) -> f64 {
    let passed = now.saturating_duration_since(at).as_secs_f64();
    (left + passed * PER_SECOND).min(BURST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_a_rate_for_each_peer_alone() {
        let (mut allowances, now) = (Allowances::default(), Instant::now());
        let [eager, other] = [PeerId::random(), PeerId::random()];
        for _ in 0..8 {
            assert_eq!(allowances.take(eager, now), Ok(()));
        }
        let wait = allowances.take(eager, now).unwrap_err();
        assert_eq!(wait, Duration::from_millis(500));
        assert_eq!(allowances.take(other, now), Ok(()));
        assert_eq!(allowances.take(eager, now + wait), Ok(()));
        assert!(allowances.take(eager, now + wait).is_err());
    }

    #[test]
    fn the_table_is_bounded() {
        let (mut allowances, now) = (Allowances::default(), Instant::now());
        for _ in 0..REMEMBERED {
            assert_eq!(allowances.take(PeerId::random(), now), Ok(()));
        }
        assert!(allowances.take(PeerId::random(), now).is_err());
        assert_eq!(allowances.0.len(), REMEMBERED);
        let later = now + Duration::from_secs(10);
        assert_eq!(allowances.take(PeerId::random(), later), Ok(()));
    }
}
