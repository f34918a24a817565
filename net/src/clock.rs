//! Whose clock is wrong?
//!
//! Every signed answer tells the clock of the peer that signed it. The median over the last of them, one vote a peer,
//! says how far this node's own clock is off, so that a refusal for an expired request can be laid at the right door.

use std::{
    collections::VecDeque,
    time::{SystemTime, UNIX_EPOCH},
};

use athanor_spec::envelope::MAX_CLOCK_SKEW_MS;
use libp2p::PeerId;

/// Peers whose clocks are remembered.
const REMEMBERED: usize = 64;
/// Peers that must have been heard before this node's own clock is judged at all.
const QUORUM: usize = 3;

/// What the clocks of others say about this node's.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    /// (peer, this node's clock minus the peer's in milliseconds), the newest last.
    heard: VecDeque<(PeerId, i64)>,
}

impl Clocks {
    /// Records how far ahead of a peer this node's clock is.
    pub(crate) fn hear(&mut self, peer: PeerId, ahead_ms: i64) {
        self.heard.retain(|(known, _)| *known != peer);
        if self.heard.len() == REMEMBERED {
            self.heard.pop_front();
        }
        self.heard.push_back((peer, ahead_ms));
    }

    /// Whether most of the other peers agree with this node's clock. Unknown counts as no: a caller's own trouble must
    /// never lower a miner's grade.
    pub(crate) fn trusts_own(&self, but: PeerId) -> bool {
        let others = self.heard.iter().filter(|(peer, _)| *peer != but);
        let mut offsets: Vec<i64> = others.map(|(_, ahead)| *ahead).collect();
        offsets.sort_unstable();
        offsets.len() >= QUORUM && within(offsets[offsets.len() / 2])
    }
}

/// Whether a difference of clocks is one that a verifier tolerates.
pub(crate) fn within(ahead_ms: i64) -> bool {
    ahead_ms.unsigned_abs() <= MAX_CLOCK_SKEW_MS
}

/// This node's clock minus another in milliseconds.
pub(crate) fn ahead_ms(now_ms: u64, other_ms: u64) -> i64 {
    let difference = i128::from(now_ms) - i128::from(other_ms);
    difference.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// Milliseconds since the Unix epoch by this machine's clock.
pub(crate) fn now_ms() -> u64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusts(offsets: &[i64]) -> bool {
        let mut clocks = Clocks::default();
        for offset in offsets {
            clocks.hear(PeerId::random(), *offset);
        }
        clocks.trusts_own(PeerId::random())
    }

    #[test]
    fn the_median_of_at_least_three_peers_decides() {
        assert!(!trusts(&[]));
        assert!(!trusts(&[0, 0]));
        assert!(trusts(&[0, 0, 0]));
        assert!(trusts(&[0, -5_000, 1_000_000]));
        assert!(!trusts(&[0, 60_000, 60_000]));
        assert!(!trusts(&[-60_000, -60_000, -60_000, 0]));
    }

    #[test]
    fn a_peer_has_one_vote_and_none_on_itself() {
        let (mut clocks, liar) = (Clocks::default(), PeerId::random());
        for _ in 0..100 {
            clocks.hear(liar, 1_000_000);
        }
        for _ in 0..3 {
            clocks.hear(PeerId::random(), 10);
        }
        assert!(clocks.trusts_own(PeerId::random()));
        assert!(clocks.trusts_own(liar));
        for _ in 0..1000 {
            clocks.hear(PeerId::random(), 0);
        }
        assert_eq!(clocks.heard.len(), REMEMBERED);
    }

    #[test]
    fn any_claimed_time_can_be_compared() {
        assert_eq!(ahead_ms(0, u64::MAX), i64::MIN);
        assert_eq!(ahead_ms(u64::MAX, 0), i64::MAX);
        assert_eq!(ahead_ms(10, 13), -3);
        assert!(!within(i64::MIN));
    }
}
