//! Measure how many tokens per second a miner serves within the objective, while all miners are loaded at once.
//!
//! A load probe sends a miner several asks at once. Its joint goodput is the sum of the tokens of the answers, each
//! weighed by the worth of its time, over the time until the last of them was there. Of a round's probes one loads all miners
//! together ([`is_joint`]), and that one is paid for: all hotkeys of a card are loaded in it, so what they reach adds up to what
//! the card gives. The others load random halves, which tells who shares a machine (the regression needs both states) and pays
//! nobody: hotkeys that are loaded without their siblings would each be measured at more than their part, and k of them at
//! 2 - 2^(1-k) cards.
//!
//! Measured at one moment for all, goodput also does not depend on who was loaded when the validator's machine or its line
//! was busy.
//!
//! What a card that serves its hotkeys one after the other gains is bounded by the objective alone: the j-th of them reaches a
//! j-th of the card, in times that are out of the band as soon as the bursts before it fill the time to a first token.

use codec::{Decode, Encode};

use crate::ledger::{AskOutcome, Pace};

/// More tokens per second than anything serves: a bound for sums.
const MOST: f64 = 1e9;

/// Sums of measured rates, in tokens per second, decayed like all evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Encode, Decode)]
pub(crate) struct Goodput {
    loaded: Rates,
    alone: Rates,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Encode, Decode)]
struct Rates {
    sum: f64,
    weight: f64,
}

impl Rates {
    fn add(&mut self, rate: f64) {
        self.sum += bounded(rate);
        self.weight += 1.0;
    }

    fn scale(&mut self, factor: f64) {
        self.sum *= factor;
        self.weight *= factor;
    }

    fn mean(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }

    fn is_bounded(&self) -> bool {
        self.sum.is_finite() && self.weight.is_finite() && self.sum >= 0.0 && self.weight >= 0.0
    }
}

/// Whether a round's load probe of this number loads all miners together: then it is paid for. The others load a random half.
/// Moments are drawn alike for all probes, so no miner knows before which of them this one is.
pub fn is_joint(probe: u32) -> bool {
    probe == 0
}

impl Goodput {
    /// What a load probe of all miners measured.
    pub(crate) fn loaded(&mut self, rate: f64) {
        self.loaded.add(rate);
    }

    /// What asks by themselves measured: the sum of their (bounded) rates, and their number.
    pub(crate) fn alone_sum(&mut self, sum: f64, weight: f64) {
        self.alone.sum += sum;
        self.alone.weight += weight;
    }

    pub(crate) fn decay(&mut self, factor: f64) {
        self.loaded.scale(factor);
        self.alone.scale(factor);
    }

    /// Tokens per second: the mean over load probes, or over single asks where there was none yet.
    pub(crate) fn tokens_per_second(&self) -> f64 {
        self.loaded.mean().or(self.alone.mean()).unwrap_or(0.0)
    }

    pub(crate) fn is_bounded(&self) -> bool {
        self.loaded.is_bounded() && self.alone.is_bounded()
    }
}

/// A rate that can be summed: 0 for what is no number.
pub(crate) fn bounded(rate: f64) -> f64 {
    if rate.is_nan() {
        0.0
    } else {
        rate.clamp(0.0, MOST)
    }
}

/// Tokens per second of a single answer whose time is worth `service`.
pub(crate) fn of_answer(service: f64, pace: &Pace) -> f64 {
    service * f64::from(pace.tokens) / seconds(pace.elapsed_ms)
}

/// Tokens per second over all streams of one load probe of one miner; `None` without any outcome. Streams that the
/// validator's own trouble lost are taken to have been like the others: `streams` were sent.
pub fn of_probe<'a>(
    outcomes: impl IntoIterator<Item = &'a AskOutcome>,
    streams: u32,
) -> Option<f64> {
    let (mut tokens, mut longest, mut seen) = (0.0, 0, 0_u32);
    for outcome in outcomes {
        seen += 1;
        let (service, pace) = match outcome {
            AskOutcome::Answered { service, pace, .. } => (*service, pace),
            AskOutcome::Unopened {
                service: Some(service),
                pace,
            } => (*service, pace),
            AskOutcome::Unopened { service: None, .. } | AskOutcome::Failed { .. } => continue,
        };
        tokens += service * f64::from(pace.tokens);
        longest = longest.max(pace.elapsed_ms);
    }
    let scale = f64::from(streams.max(seen)) / f64::from(seen);
    (seen > 0).then(|| scale * tokens / seconds(longest))
}

/// Tokens per second of a joint probe that was not made because its miner begins its answers too late to bear one: the mean
/// over its asks, which went out one by one. `None` while at least half of them were in time: then the miner was only busy, and
/// what was measured before stands. Else a hotkey that is just slow enough would keep for good what it reached while its
/// siblings on the card were not there yet.
pub fn of_waived<'a>(outcomes: impl IntoIterator<Item = &'a AskOutcome>) -> Option<f64> {
    let (mut sum, mut late, mut seen) = (0.0, 0_u32, 0_u32);
    for outcome in outcomes {
        seen += 1;
        let (service, pace) = match outcome {
            AskOutcome::Answered { service, pace, .. } => (*service, *pace),
            AskOutcome::Unopened { service, pace } => (service.unwrap_or(0.0), *pace),
            AskOutcome::Failed { .. } => (0.0, Pace::default()),
        };
        late += u32::from(service < 1.0);
        sum += of_answer(service, &pace);
    }
    (2 * late > seen).then(|| sum / f64::from(seen))
}

/// At least a millisecond: clocks are no finer.
fn seconds(elapsed_ms: u32) -> f64 {
    f64::from(elapsed_ms.max(1)) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fidelity::FidelitySums;

    fn answer(tokens: u32, elapsed_ms: u32, service: f64) -> AskOutcome {
        AskOutcome::Answered {
            e_value: None,
            fidelity: FidelitySums::default(),
            credit: None,
            liveliness: 1.0,
            service,
            pace: Pace {
                tokens,
                elapsed_ms,
                load: Some(0),
            },
        }
    }

    const LOST: AskOutcome = AskOutcome::Failed {
        fidelity: FidelitySums::ZERO,
        checkable: false,
        load: Some(0),
    };

    #[test]
    fn a_probe_is_the_tokens_of_all_streams_over_the_longest_time() {
        // Four streams one after the other on a card of 20 tokens per second: not 20 + 10 + 6.7 + 5.
        let queued = [1, 2, 3, 4].map(|turn| answer(20, 1_000 * turn, 1.0));
        assert_eq!(of_probe(&queued, 4), Some(20.0));
        assert_eq!(
            of_probe(&[answer(20, 1_000, 0.5), answer(20, 1_000, 1.0)], 2),
            Some(30.0)
        );
        assert_eq!(of_probe(&[answer(20, 1_000, 1.0), LOST], 2), Some(20.0));
        assert_eq!(of_probe(&[LOST, LOST], 2), Some(0.0));
    }

    #[test]
    fn what_the_validator_lost_itself_lowers_nothing() {
        assert_eq!(of_probe(&[answer(20, 1_000, 1.0)], 2), Some(40.0));
        assert_eq!(of_probe(&[], 2), None);
    }

    #[test]
    fn who_is_too_slow_for_a_probe_is_measured_by_its_single_asks_and_who_is_busy_is_not() {
        let (slow, fast) = (answer(20, 4_000, 0.8), answer(20, 1_000, 1.0));
        assert_eq!(of_waived(&[slow, slow]), Some(4.0));
        assert_eq!(
            of_waived(&[slow, slow, fast]),
            Some((4.0 + 4.0 + 20.0) / 3.0)
        );
        assert_eq!(of_waived(&[LOST, slow]), Some(2.0));
        assert_eq!(of_waived(&[slow, fast]), None);
        assert_eq!(of_waived(&[]), None);
    }

    #[test]
    fn load_counts_before_single_asks_and_nothing_is_nothing() {
        let mut goodput = Goodput::default();
        assert_eq!(goodput.tokens_per_second(), 0.0);
        goodput.alone_sum(50.0, 1.0);
        assert_eq!(goodput.tokens_per_second(), 50.0);
        goodput.loaded(30.0);
        goodput.loaded(f64::NAN);
        goodput.decay(0.5);
        assert_eq!(goodput.tokens_per_second(), 15.0);
        goodput.loaded(f64::INFINITY);
        assert!(goodput.is_bounded());
    }
}
