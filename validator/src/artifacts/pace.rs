//! How fast an artifact has to come, and whether it is the peer or this validator's own line that is slow.

use std::time::{Duration, Instant};

use athanor_spec::Digest;

/// Time that a transfer has beyond what its size takes: dialling, round trips, a busy disk.
const GRACE: Duration = Duration::from_secs(10);
/// How long before the slow transfer began another peer's may have come fast enough, to show that the line is good.
const MEMORY: Duration = Duration::from_secs(600);

/// The least rate that a peer owes, as a time for a number of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Bytes per second; `limits.min_artifact_bytes_per_second`.
    pub(super) rate: u64,
}

impl Pace {
    /// The longest that so many bytes may take.
    pub(super) fn allowed(self, bytes: u64) -> Duration {
        let millis = bytes.saturating_mul(1000) / self.rate.max(1);
        GRACE.saturating_add(Duration::from_millis(millis))
    }
}

/// Which peers' artifacts came fast enough, and when last: of each of the two latest peers one proof, since one of them
/// is another than the slow one.
#[derive(Debug, Default)]
pub(super) struct Line {
    proofs: [Option<(Digest, Instant)>; 2],
}

impl Line {
    /// An artifact of `peer` came fast enough.
    pub(super) fn carried(&mut self, peer: Digest, now: Instant) {
        let [latest, other] = &mut self.proofs;
        match latest {
            Some((known, at)) if *known == peer => *at = now,
            _ => {
                *other = latest.take();
                *latest = Some((peer, now));
            }
        }
    }

    /// Whether a transfer from `peer` that began at `begun` was slow for the peer's sake: another peer's was fast enough
    /// about then.
    pub(super) fn blames(&self, peer: Digest, begun: Instant) -> bool {
        self.proofs.iter().flatten().any(|(other, at)| {
            *other != peer
                && at
                    .checked_add(MEMORY)
                    .is_none_or(|forgotten| forgotten >= begun)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Digest = Digest([1; 32]);
    const FAST: Digest = Digest([2; 32]);

    #[test]
    fn the_time_grows_with_the_bytes_and_never_overflows() {
        let pace = Pace { rate: 1000 };
        assert_eq!(pace.allowed(0), GRACE);
        assert_eq!(pace.allowed(60_000), GRACE + Duration::from_secs(60));
        assert!(pace.allowed(u64::MAX) >= pace.allowed(1 << 40));
        assert!(Pace { rate: 0 }.allowed(1000) > GRACE);
    }

    #[test]
    fn a_peer_is_blamed_only_if_another_one_was_faster() {
        let now = Instant::now();
        let mut line = Line::default();
        assert!(!line.blames(SLOW, now), "nothing is known of the line");
        line.carried(SLOW, now);
        assert!(!line.blames(SLOW, now), "its own earlier transfer");
        line.carried(FAST, now);
        line.carried(FAST, now);
        assert!(line.blames(SLOW, now));
        assert!(line.blames(FAST, now), "the slow one was fast once");
    }

    #[test]
    fn an_old_proof_says_nothing() {
        let now = Instant::now();
        let mut line = Line::default();
        line.carried(FAST, now);
        assert!(line.blames(SLOW, now + MEMORY));
        assert!(!line.blames(SLOW, now + MEMORY + Duration::from_secs(1)));
    }
}
