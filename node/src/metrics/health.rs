//! Whether a daemon lives, and whether it does what it is for.
//!
//! Alive: it follows the chain, and the chain's blocks arrive. Ready: it serves, or sets weights that count. A supervisor
//! restarts what is not alive, and a balancer or a person waits for what is not ready.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::Seen;

/// Blocks that may be missed before the chain, or this process, counts as stuck.
const MISSED_BLOCKS: u32 = 25;
/// Shortest time that counts as stuck: a fast chain may pause for a moment.
const SHORTEST: Duration = Duration::from_secs(60);

/// What a daemon is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It reads its files and connects.
    #[default]
    Starting,
    /// It does what it is for.
    Serving,
    /// It finishes what runs and takes nothing new.
    Draining,
}

/// How a daemon is, as `/healthz` and `/readyz` say it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    /// Whether it should be left running.
    pub live: bool,
    /// Whether it does what it is for.
    pub ready: bool,
    /// What it is at.
    pub phase: Phase,
    /// Why it is not live, or not ready.
    pub reasons: Vec<&'static str>,
    /// The latest finalized block that it has seen.
    pub block: Option<u32>,
    /// How long ago that was.
    pub block_age_seconds: Option<f64>,
    /// How long the process runs.
    pub uptime_seconds: f64,
}

/// Judges at `now` a daemon that runs since `started`, on a chain with this time from block to block.
pub(super) fn judge(seen: &Seen, started: Instant, block_time: Duration, now: Instant) -> Health {
    let since = |then: Instant| now.saturating_duration_since(then);
    let limit = SHORTEST.max(block_time.saturating_mul(MISSED_BLOCKS));
    let mut dead = Vec::new();
    let mut idle = Vec::new();
    match seen.phase {
        // Models may take their time to load, and the chain may be away: it is waited for.
        Phase::Starting => idle.push("starting"),
        Phase::Serving | Phase::Draining => match seen.block_at {
            Some(at) if since(at) > limit => dead.push("no_new_block"),
            Some(_) => {}
            None if since(started) > limit => dead.push("no_block_yet"),
            None => idle.push("no_block_yet"),
        },
    }
    if seen.phase == Phase::Draining {
        idle.push("draining");
    }
    // Only who validates counts down to its weights.
    if let Some(countdown) = &seen.countdown {
        if seen.neuron.as_ref().is_some_and(|it| !it.validator_permit) {
            idle.push("no_validator_permit");
        }
        if countdown.activity_cutoff == Some(0) {
            idle.push("weights_too_old");
        }
        idle.extend(seen.weights_failing);
    }
    idle.extend(seen.troubles.values());
    let live = dead.is_empty();
    Health {
        live,
        ready: live && idle.is_empty(),
        phase: seen.phase,
        reasons: [dead, idle].concat(),
        block: seen.block.map(|block| block.0),
        block_age_seconds: seen.block_at.map(|at| since(at).as_secs_f64()),
        uptime_seconds: since(started).as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use athanor_chain::{Countdown, Protocol};
    use athanor_spec::BlockNumber;

    use super::*;

    const BLOCK_TIME: Duration = Duration::from_secs(12);

    fn check(seen: &Seen, seconds: u64, live: bool, ready: bool, reasons: &[&str]) {
        let started = Instant::now();
        let seen = Seen {
            block_at: seen.block_at.map(|_| started),
            ..seen.clone()
        };
        let health = judge(
            &seen,
            started,
            BLOCK_TIME,
            started + Duration::from_secs(seconds),
        );
        assert_eq!((health.live, health.ready), (live, ready), "{health:?}");
        assert_eq!(health.reasons, reasons);
    }

    fn serving() -> Seen {
        Seen {
            phase: Phase::Serving,
            block: Some(BlockNumber(7)),
            block_at: Some(Instant::now()),
            ..Seen::default()
        }
    }

    #[test]
    fn who_starts_is_alive_and_not_ready_however_long_it_takes() {
        check(&Seen::default(), 100_000, true, false, &["starting"]);
    }

    #[test]
    fn who_serves_is_ready_until_blocks_no_longer_come() {
        check(&serving(), 0, true, true, &[]);
        check(&serving(), 300, true, true, &[]);
        check(&serving(), 301, false, false, &["no_new_block"]);
        let blind = Seen {
            block_at: None,
            ..serving()
        };
        check(&blind, 300, true, false, &["no_block_yet"]);
        check(&blind, 301, false, false, &["no_block_yet"]);
    }

    #[test]
    fn who_drains_is_alive_and_not_ready() {
        let draining = Seen {
            phase: Phase::Draining,
            ..serving()
        };
        check(&draining, 0, true, false, &["draining"]);
    }

    #[test]
    fn a_daemon_is_ready_if_its_parts_are() {
        let mut seen = serving();
        seen.troubles.insert("gateway", "gateway_no_miner");
        check(&seen, 0, true, false, &["gateway_no_miner"]);
    }

    #[test]
    fn a_validator_is_ready_if_its_weights_count() {
        let countdown = |activity_cutoff| Countdown {
            block: BlockNumber(7),
            protocol: Protocol::Plain,
            last_update: BlockNumber(1),
            epoch: 5,
            reveal: None,
            activity_cutoff,
        };
        let mut seen = Seen {
            countdown: Some(countdown(Some(9))),
            ..serving()
        };
        check(&seen, 0, true, true, &[]);
        seen.weights_failing = Some("cannot_pay");
        check(&seen, 0, true, false, &["cannot_pay"]);
        seen.countdown = Some(countdown(Some(0)));
        check(&seen, 0, true, false, &["weights_too_old", "cannot_pay"]);
    }
}
