//! What a peer's faults cost it: a score that fades, and bans that grow.
//!
//! Pure: time is an argument. Both tables are bounded; when one is full, whoever has the least to answer for is forgotten.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// Score at which a peer is banned.
const LIMIT: f64 = 100.0;
/// Time in which half of a score fades.
const HALF_LIFE: Duration = Duration::from_secs(60);
/// The first ban; each further one is twice as long.
const FIRST_BAN: Duration = Duration::from_secs(60);
/// The longest ban.
const LONGEST_BAN: Duration = Duration::from_secs(3600);
/// How long after a ban's end it still counts for the length of the next one.
const MEMORY: Duration = Duration::from_secs(3600);
/// Offenders remembered.
const REMEMBERED: usize = 4096;

/// What somebody did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It sent what is not a message, or more than one.
    Malformed,
    /// It held a stream without using it.
    Stalled,
    /// It opened more streams than it may.
    Flood,
    /// It began a connection and did not complete the handshake.
    Handshake,
}

impl Fault {
    /// How much of [`LIMIT`] it costs: three malformed messages in a minute end the patience, a hundred surplus streams.
    fn weight(self) -> f64 {
        match self {
            Self::Malformed => 40.0,
            Self::Stalled => 10.0,
            Self::Handshake => 5.0,
            Self::Flood => 1.0,
        }
    }
}

#[derive(Debug)]
struct Record {
    score: f64,
    at: Instant,
    bans: u32,
    banned_until: Option<Instant>,
}

impl Record {
    fn score(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at);
        self.score * 0.5_f64.powf(passed.as_secs_f64() / HALF_LIFE.as_secs_f64())
    }
}

/// The faults of all offenders of one kind: peers, or addresses.
#[derive(Debug)]
pub(crate) struct Penalties<K>(HashMap<K, Record>);

impl<K: Copy + Eq + Hash> Penalties<K> {
    pub(crate) fn new() -> Self {
        Self(HashMap::new())
    }

    /// Counts a fault; says for how long the offender is banned if this one was too much.
    pub(crate) fn count(&mut self, who: K, fault: Fault, now: Instant) -> Option<Duration> {
        if !self.0.contains_key(&who) && self.0.len() >= REMEMBERED {
            self.forget_least(now);
        }
        let record = self.0.entry(who).or_insert(Record {
            score: 0.0,
            at: now,
            bans: 0,
            banned_until: None,
        });
        record.score = record.score(now) + fault.weight();
        record.at = now;
        if record.score < LIMIT || record.banned_until.is_some_and(|until| until > now) {
            return None;
        }
        let forgiven = |until: Instant| now.saturating_duration_since(until) > MEMORY;
        if record.banned_until.is_none_or(forgiven) {
            record.bans = 0;
        }
        let ban = FIRST_BAN
            .saturating_mul(1 << record.bans.min(16))
            .min(LONGEST_BAN);
        record.bans = record.bans.saturating_add(1);
        record.score = 0.0;
        record.banned_until = Some(now + ban);
        Some(ban)
    }

    /// Whether somebody is banned.
    pub(crate) fn is_banned(&self, who: &K, now: Instant) -> bool {
        let until = self.0.get(who).and_then(|record| record.banned_until);
        until.is_some_and(|until| until > now)
    }

    fn forget_least(&mut self, now: Instant) {
        let guilt = |record: &Record| (record.banned_until, record.score(now));
        let least = self.0.iter().min_by(|(_, a), (_, b)| {
            let ((until_a, score_a), (until_b, score_b)) = (guilt(a), guilt(b));
            until_a.cmp(&until_b).then(score_a.total_cmp(&score_b))
        });
        if let Some(who) = least.map(|(who, _)| *who) {
            self.0.remove(&who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banned(penalties: &mut Penalties<u32>, now: Instant) -> Option<Duration> {
        (0..3)
            .filter_map(|_| penalties.count(7, Fault::Malformed, now))
            .last()
    }

    #[test]
    fn a_rare_fault_is_forgiven() {
        let (mut penalties, mut now) = (Penalties::new(), Instant::now());
        for _ in 0..1000 {
            assert_eq!(penalties.count(7, Fault::Malformed, now), None);
            now += HALF_LIFE;
        }
        assert!(!penalties.is_banned(&7, now));
    }

    #[test]
    fn bans_double_up_to_the_longest_and_are_forgotten_in_time() {
        let (mut penalties, mut now) = (Penalties::new(), Instant::now());
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            let ban = banned(&mut penalties, now).unwrap();
            assert_eq!(ban, Duration::from_secs(60 * minutes));
            assert!(penalties.is_banned(&7, now));
            now += ban;
            assert!(!penalties.is_banned(&7, now));
        }
        now += MEMORY + Duration::from_secs(1);
        assert_eq!(banned(&mut penalties, now), Some(FIRST_BAN));
    }

    #[test]
    fn the_table_stays_bounded_and_keeps_the_banned() {
        let (mut penalties, now) = (Penalties::new(), Instant::now());
        banned(&mut penalties, now);
        for who in 100..100 + 2 * REMEMBERED as u32 {
            penalties.count(who, Fault::Flood, now);
        }
        assert_eq!(penalties.0.len(), REMEMBERED);
        assert!(penalties.is_banned(&7, now));
    }
}
