//! Measure how many tokens per second a miner serves within the objective, while all miners are loaded at once.
//!
//! A load probe sends a miner several asks at once. Of a round's probes one loads all miners together ([`is_joint`]), and that
//! one is paid for: its joint goodput ([`of_joint`]) is the tokens of usable answers that are there by one moment
//! ([`window_ms`] after the asks left), the same for all miners, each weighed by the worth of its answer's time, over the time
//! until that moment. A card gives so many tokens by then, whoever they are for and in whatever order: what its hotkeys
//! measure adds up to what it gives and to no more. Tokens over each miner's own time would not: of hotkeys that a card serves
//! one after the other the j-th would reach a j-th of it, and all of them 1 + 1/2 + ... + 1/m cards.
//!
//! The others load random halves, which tells who shares a machine (the regression needs both states) and pays nobody:
//! hotkeys that are loaded without their siblings would each be measured at more than their part, and k of them at
//! 2 - 2^(1-k) cards. What they show ([`of_probe`]) is in the miner's own time.
//!
//! Measured at one moment for all, goodput also does not depend on who was loaded when the validator's machine or its line
//! was busy.

use athanor_spec::SubnetSpec;
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

/// How long after its asks left the joint probe's moment comes, in milliseconds: when a machine of the reference class has drawn
/// as many tokens for each stream as the shortest continuation has,
/// `load_streams * continuation_new_tokens[0] / goodput_tokens_per_second`, and never beyond the deadline of an answer.
///
/// Until then such a machine has something left to draw, so all that it gives is seen. A slower one has given less by then in
/// proportion. One that is faster than the asks last measures what it was asked for and no more; bunching tokens at the end, or
/// after it, gains nothing.
pub fn window_ms(spec: &SubnetSpec) -> u32 {
    let shortest = f64::from(spec.round.continuation_new_tokens.0);
    let tokens = f64::from(spec.service.load_streams) * shortest;
    let seconds = tokens / spec.service.goodput_tokens_per_second;
    // Between a millisecond and the deadline, which is a u32.
    (1_000.0 * seconds).clamp(1.0, f64::from(spec.round.deadline_ms.max(1))) as u32
}

/// Worth of its time and how fast it came, of a usable answer.
fn usable(outcome: &AskOutcome) -> Option<(f64, &Pace)> {
    match outcome {
        AskOutcome::Answered { service, pace, .. }
        | AskOutcome::Unopened {
            service: Some(service),
            pace,
        } => Some((*service, pace)),
        AskOutcome::Unopened { service: None, .. } | AskOutcome::Failed { .. } => None,
    }
}

/// Tokens per second that were there by the moment of a probe of all miners, over all streams of one miner; `None` without any
/// outcome, and where the validator's own trouble lost more than half of its `streams`. Fewer that it lost are taken to have
/// been like the others.
///
/// A probe of a transcript from before tokens were counted is what it was then: [`of_probe`].
pub fn of_joint<'a>(
    outcomes: impl IntoIterator<Item = &'a AskOutcome>,
    streams: u32,
    window_ms: u32,
) -> Option<f64> {
    let outcomes: Vec<&AskOutcome> = outcomes.into_iter().collect();
    let answers = || outcomes.iter().copied().filter_map(usable);
    let seen = outcomes.len() as u32;
    if answers().any(|(_, pace)| pace.load.arrived().is_none()) {
        return of_probe(outcomes, streams);
    }
    let arrived =
        |(service, pace): (f64, &Pace)| service * f64::from(pace.load.arrived().unwrap_or(0));
    let tokens: f64 = answers().map(arrived).sum();
    let scale = f64::from(streams.max(seen)) / f64::from(seen);
    (seen > 0 && 2 * seen >= streams).then(|| scale * tokens / seconds(window_ms))
}

/// Tokens per second over all streams of one load probe of one miner, until the last of them was there; `None` without any
/// outcome. Streams that the validator's own trouble lost are taken to have been like the others: `streams` were sent.
pub fn of_probe<'a>(
    outcomes: impl IntoIterator<Item = &'a AskOutcome>,
    streams: u32,
) -> Option<f64> {
    let (mut tokens, mut longest, mut seen) = (0.0, 0, 0_u32);
    for outcome in outcomes {
        seen += 1;
        if let Some((service, pace)) = usable(outcome) {
            tokens += service * f64::from(pace.tokens);
            longest = longest.max(pace.elapsed_ms);
        }
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
mod tests;
