//! Be the beacon of a chain that has no network to fetch drand's pulses from.
//!
//! Whoever runs the chain could sign every round at any time, and so open every timelocked commit: the lock keeps honest
//! tests honest, and nothing more. A pulse is made only when a ciphertext waits for it, as checking one takes longer
//! than a whole block otherwise.

use athanor_runtime::drand::{BeaconGenesis, Pulse, beacon::Beacon};
use serde_json::Value;

/// What the beacon's key is made from.
const SEED: &[u8] = b"devnet";
/// Seconds per round, as of drand's quicknet.
const PERIOD: u32 = 3;

/// The beacon as the genesis names it. Its rounds count from 1970, so that they suit the wall clock and the virtual one.
pub(crate) fn genesis() -> BeaconGenesis {
    Beacon::from_seed(SEED).genesis(0, PERIOD)
}

/// Whether the runtime's whole genesis configuration names this beacon. Without one, a chain takes drand's pulses from
/// whoever brings them.
pub(crate) fn is_named_by(config: &Value) -> bool {
    serde_json::to_value(genesis()).is_ok_and(|ours| config["drand"]["beacon"] == ours)
}

/// The pulses of these rounds.
pub(crate) fn pulses(rounds: &[u64]) -> Vec<Pulse> {
    let beacon = Beacon::from_seed(SEED);
    rounds.iter().map(|round| beacon.pulse(*round)).collect()
}
