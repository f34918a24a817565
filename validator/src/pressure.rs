//! Whether a miner can bear a load probe now: what users feel comes first.
//!
//! Whoever asks a miner, the round or a user, notes when an exchange begins and how long its first token took. A probe
//! waits, and its asks go out one by one like all others, while the median of the last times to first token is out of the
//! band that the spec calls good enough, or while more is in flight with the miner than its median.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use athanor_spec::{Hotkey, params::ServiceParams};

/// Exchanges that are remembered of each miner.
const REMEMBERED: usize = 32;
/// Miners that are remembered: all of a full subnet, and some that left.
const MAX_MINERS: usize = 1024;

/// What is known of every miner's load. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Pressure(Arc<Mutex<HashMap<Hotkey, Recent>>>);

#[derive(Debug, Default)]
struct Recent {
    in_flight: u32,
    /// In flight when each exchange began, itself not counted.
    loads: VecDeque<u32>,
    first_token_ms: VecDeque<u32>,
}

/// An exchange under way; it ends when this is dropped.
#[derive(Debug)]
pub struct InFlight {
    pressure: Pressure,
    miner: Hotkey,
}

impl Pressure {
    /// Notes that an exchange with a miner begins.
    pub fn begin(&self, miner: Hotkey) -> InFlight {
        let mut miners = self.miners();
        if miners.len() >= MAX_MINERS && !miners.contains_key(&miner) {
            miners.retain(|_, recent| recent.in_flight > 0);
        }
        let recent = miners.entry(miner).or_default();
        remember(&mut recent.loads, recent.in_flight);
        recent.in_flight += 1;
        InFlight {
            pressure: self.clone(),
            miner,
        }
    }

    /// Whether a load probe of the miner may go out now.
    pub fn bears_load(&self, miner: &Hotkey, params: &ServiceParams) -> bool {
        let miners = self.miners();
        let Some(recent) = miners.get(miner) else {
            return true;
        };
        let fast = median(&recent.first_token_ms).is_none_or(|ms| ms <= params.ttft_ms);
        let idle = median(&recent.loads).is_none_or(|load| recent.in_flight <= load);
        fast && idle
    }

    fn miners(&self) -> MutexGuard<'_, HashMap<Hotkey, Recent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    /// Notes how long the first token took.
    pub fn first_token(&self, after: Duration) {
        if let Some(recent) = self.pressure.miners().get_mut(&self.miner) {
            let ms = u32::try_from(after.as_millis()).unwrap_or(u32::MAX);
            remember(&mut recent.first_token_ms, ms);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(recent) = self.pressure.miners().get_mut(&self.miner) {
            recent.in_flight = recent.in_flight.saturating_sub(1);
        }
    }
}

fn remember(values: &mut VecDeque<u32>, value: u32) {
    if values.len() >= REMEMBERED {
        values.pop_front();
    }
    values.push_back(value);
}

/// The upper median; `None` of nothing.
fn median(values: &VecDeque<u32>) -> Option<u32> {
    let mut sorted: Vec<u32> = values.iter().copied().collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use athanor_spec::SubnetSpec;

    use super::*;

    const MINER: Hotkey = Hotkey([1; 32]);

    #[test]
    fn a_probe_waits_while_users_wait() {
        let (pressure, params) = (Pressure::default(), SubnetSpec::local().service);
        assert!(pressure.bears_load(&MINER, &params));
        for ms in [100, 200, 9_000] {
            pressure.begin(MINER).first_token(Duration::from_millis(ms));
        }
        assert!(pressure.bears_load(&MINER, &params));
        for _ in 0..3 {
            pressure.begin(MINER).first_token(Duration::from_secs(9));
        }
        assert!(!pressure.bears_load(&MINER, &params));
        for _ in 0..REMEMBERED {
            pressure.begin(MINER).first_token(Duration::from_millis(80));
        }
        assert!(pressure.bears_load(&MINER, &params));
    }

    #[test]
    fn a_probe_waits_while_more_than_usual_is_in_flight() {
        let (pressure, params) = (Pressure::default(), SubnetSpec::local().service);
        for _ in 0..9 {
            drop(pressure.begin(MINER));
        }
        let one = pressure.begin(MINER);
        assert!(!pressure.bears_load(&MINER, &params));
        drop(one);
        assert!(pressure.bears_load(&MINER, &params));
        assert!(pressure.bears_load(&Hotkey([2; 32]), &params));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let pressure = Pressure::default();
        let held = pressure.begin(MINER);
        for index in 0..3 * MAX_MINERS as u32 {
            let mut key = [9; 32];
            key[..4].copy_from_slice(&index.to_le_bytes());
            drop(pressure.begin(Hotkey(key)));
        }
        assert!(pressure.miners().len() <= MAX_MINERS);
        assert_eq!(pressure.miners()[&MINER].in_flight, 1);
        drop(held);
    }
}
