//! How long this process was too busy to look at its sockets: time that is not held against a miner.
//!
//! One task asks to be woken at a steady beat. Whatever it is woken too late is time in which nothing else of the
//! process was looked after in time either.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

/// The beat.
const BEAT: Duration = Duration::from_millis(10);
/// What a timer and an idle machine's scheduler may add to a beat.
const GRACE: Duration = Duration::from_millis(5);
/// Whoever sleeps so long finds added what was lost before.
pub(crate) const TOLD_AFTER: Duration = Duration::from_millis(20);

/// A running total of the time that was lost. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stalls {
    lost_micros: Arc<AtomicU64>,
}

impl Stalls {
    /// Measures until cancelled.
    pub(crate) fn watch(cancel: CancellationToken) -> Self {
        let stalls = Self::default();
        let own = stalls.clone();
        tokio::spawn(async move {
            loop {
                let begun = Instant::now();
                tokio::select! {
                    () = cancel.cancelled() => return,
                    () = tokio::time::sleep(BEAT) => own.add(lateness(begun.elapsed())),
                }
            }
        });
        stalls
    }

    pub(crate) fn add(&self, lost: Duration) {
        let micros = u64::try_from(lost.as_micros()).unwrap_or(u64::MAX);
        self.lost_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Time lost since the start.
    pub(crate) fn lost(&self) -> Duration {
        Duration::from_micros(self.lost_micros.load(Ordering::Relaxed))
    }
}

/// How much of a beat that took `took` was lost.
fn lateness(took: Duration) -> Duration {
    let late = took.saturating_sub(BEAT);
    if late > GRACE { late } else { Duration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_beyond_a_beat_and_its_grace_is_lost() {
        let check = |took, lost| {
            let ms = Duration::from_millis;
            assert_eq!(lateness(ms(took)), ms(lost));
        };
        check(3, 0);
        check(10, 0);
        check(15, 0);
        check(40, 30);
        let stalls = Stalls::default();
        stalls.add(Duration::from_millis(30));
        stalls.clone().add(Duration::from_millis(12));
        assert_eq!(stalls.lost(), Duration::from_millis(42));
    }
}
