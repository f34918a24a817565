//! Remember what every round shows of collusion, and put many rounds before the tests at once.
//!
//! A round leaves a [`Watched`]: the load probes' coins and rates, the times of its answers, and the weights that were on
//! chain. [`summarise`] is a pure function of those of the last [`REMEMBERED`] rounds, and what accumulates does so by what
//! each test allows:
//!
//! - *Shared machines.* A probe's coins are the validator's own and new in each, so a pair's e-values multiply over all
//!   probes, and e-BH is applied to the products.
//! - *Weight copying.* Fisher's z of the innovations is summed over epochs.
//! - *Cabals.* Weights hardly change from one round to the next, so a round's e-value is no new evidence: the mean of them
//!   is an e-value whatever they have to do with each other.
//! - *Coupled latency.* One series over all rounds; a screen, which names pairs and accuses nobody.
//!
//! All of it is shown, and none of it enters pay.

use std::collections::BTreeMap;

use athanor_spec::{
    Hotkey,
    telemetry::{
        CabalSummary, CollusionSummary, CopyingSummary, CoupledSummary, SharedMachineSummary,
    },
};
use codec::{Decode, Encode};

use super::{
    battery::RATE,
    cabal::{self, Rows},
    latency::{self, Timing},
    shared_backend::{self, LoadBlock},
    weight_copying::{self, Standing, WeightEpoch},
};
use crate::correction::{self, Average};

/// Rounds that the tests look at: what two miners did together before is history.
pub const REMEMBERED: usize = 64;
/// Parts of a round in the series of latencies.
pub const PARTS: u8 = 4;
/// Pairs of coupled latencies that are named, those of the smallest p-values first, and the p-value from which on none is.
const NAMED: usize = 16;
const NAMED_BELOW: f64 = 0.01;

/// What one round shows.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Watched {
    /// The round's miners, to which the indices below refer.
    pub miners: Vec<Hotkey>,
    /// Its load probes of random halves.
    pub probes: Vec<Probe>,
    /// The times of its answers to asks by themselves.
    pub times: Vec<Timed>,
    /// The weights that were on chain as it began.
    pub weights: Option<SeenWeights>,
}

/// A load probe, per miner.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Probe {
    /// Whether the miner's coin let it take part.
    pub coins: Vec<bool>,
    /// ln of the tokens per second that it reached; `None` if it was not loaded, or gave nothing.
    pub log_rates: Vec<Option<f32>>,
}

/// How long one answer took.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
pub struct Timed {
    /// Index of the miner.
    pub miner: u16,
    /// Hour of the day.
    pub hour: u8,
    /// Part of the round, below [`PARTS`].
    pub part: u8,
    /// ln of the prompt's tokens.
    pub log_prompt: f32,
    /// ln of the seconds to the first token.
    pub log_latency: f32,
}

/// The weights of all validators, as everybody can read them.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct SeenWeights {
    /// Whose, with their stake in rao.
    pub validators: Vec<(Hotkey, u64)>,
    /// To whom.
    pub miners: Vec<Hotkey>,
    /// A row for each validator, one weight for each miner.
    pub rows: Vec<Vec<u16>>,
    /// The chain's consensus of the epoch, one for each miner.
    pub consensus: Vec<u16>,
    /// p-value of the densest block of these weights; `None` where they are too few.
    pub cabal_p: Option<f64>,
}

impl SeenWeights {
    /// Looks for the densest block and keeps its p-value: it is asked for in many rounds to come. `seed` draws the
    /// permutations.
    pub fn screened(mut self, seed: u64) -> Self {
        self.cabal_p = cabal::test(&self.as_rows(), seed).map(|cabal| cabal.p_value);
        self
    }

    /// Where members are is not known here: one region holds all of them.
    fn as_rows(&self) -> Rows {
        Rows {
            rows: self.rows.iter().map(|row| numbers(row)).collect(),
            validator_regions: vec![0; self.validators.len()],
            miner_regions: vec![0; self.miners.len()],
        }
    }
}

fn numbers(row: &[u16]) -> Vec<f64> {
    row.iter().map(|weight| f64::from(*weight)).collect()
}

/// What rounds, in their order, show together; `seed` draws permutations.
pub fn summarise(rounds: &[Watched], seed: u64) -> CollusionSummary {
    let rounds = &rounds[rounds.len().saturating_sub(REMEMBERED)..];
    let Some(last) = rounds.last() else {
        return CollusionSummary::default();
    };
    CollusionSummary {
        rounds: u32::try_from(rounds.len()).unwrap_or(u32::MAX),
        copying: copying(rounds),
        cabal: cabal_of(rounds, seed),
        shared_machines: shared_machines(rounds, &last.miners),
        coupled_latency: coupled_latency(rounds, &last.miners),
    }
}

/// The last round's miners by hotkey: of those that are gone nothing is said.
fn places(miners: &[Hotkey]) -> BTreeMap<Hotkey, usize> {
    miners.iter().copied().zip(0..).collect()
}

fn shared_machines(rounds: &[Watched], miners: &[Hotkey]) -> Vec<SharedMachineSummary> {
    let places = places(miners);
    let mut blocks = Vec::new();
    for round in rounds {
        for probe in &round.probes {
            let mut block = LoadBlock {
                first_half: vec![false; miners.len()],
                contrasts: vec![f32::NAN; miners.len()],
            };
            let seen = round.miners.iter().zip(&probe.coins).zip(&probe.log_rates);
            for ((miner, coin), rate) in seen {
                if let Some(place) = places.get(miner) {
                    block.first_half[*place] = *coin;
                    block.contrasts[*place] = rate.unwrap_or(f32::NAN);
                }
            }
            blocks.push(block);
        }
    }
    shared_backend::test_by_coins(&blocks, RATE)
        .into_iter()
        .filter(|found| found.e_value > 1.0 || found.rejected)
        .map(|found| SharedMachineSummary {
            a: miners[found.pair.a],
            b: miners[found.pair.b],
            e_value: found.e_value,
            log_rate_change: found.log_rate_change,
            rejected: found.rejected,
        })
        .collect()
}

fn coupled_latency(rounds: &[Watched], miners: &[Hotkey]) -> Vec<CoupledSummary> {
    let places = places(miners);
    let mut timings = Vec::new();
    for (number, round) in rounds.iter().enumerate() {
        for timed in &round.times {
            let Some(hotkey) = round.miners.get(usize::from(timed.miner)) else {
                continue;
            };
            if let Some(miner) = places.get(hotkey) {
                timings.push(Timing {
                    miner: *miner,
                    region: 0,
                    validator: 0,
                    hour: timed.hour.into(),
                    bin: number * usize::from(PARTS) + usize::from(timed.part.min(PARTS - 1)),
                    log_prompt: timed.log_prompt.into(),
                    log_latency: timed.log_latency.into(),
                });
            }
        }
    }
    let bins = rounds.len() * usize::from(PARTS);
    if timings.is_empty() {
        return Vec::new();
    }
    let mut found = latency::test(&timings, miners.len(), bins, RATE).pairs;
    found.retain(|coupled| coupled.p_value < NAMED_BELOW);
    found.sort_by(|left, right| {
        let by_p = left.p_value.total_cmp(&right.p_value);
        by_p.then(right.correlation.total_cmp(&left.correlation))
    });
    found.truncate(NAMED);
    found
        .into_iter()
        .map(|coupled| CoupledSummary {
            a: miners[coupled.pair.a],
            b: miners[coupled.pair.b],
            correlation: coupled.correlation,
            p_value: coupled.p_value,
        })
        .collect()
}

fn copying(rounds: &[Watched]) -> Vec<CopyingSummary> {
    let Some(last) = rounds.iter().rev().find_map(|round| round.weights.as_ref()) else {
        return Vec::new();
    };
    let whose: Vec<Hotkey> = last.validators.iter().map(|(hotkey, _)| *hotkey).collect();
    let places = places(&whose);
    let mut epochs = Vec::new();
    for pair in rounds.windows(2) {
        let (Some(before), Some(now)) = (&pair[0].weights, &pair[1].weights) else {
            continue;
        };
        let consensus: BTreeMap<&Hotkey, u16> = before
            .miners
            .iter()
            .zip(before.consensus.iter().copied())
            .collect();
        let last_consensus: Vec<f64> = now
            .miners
            .iter()
            .map(|miner| f64::from(consensus.get(miner).copied().unwrap_or(0)))
            .collect();
        let mut epoch = WeightEpoch {
            // A row of no length counts for nothing.
            rows: vec![Vec::new(); whose.len()],
            stakes: vec![0.0; whose.len()],
            last_consensus,
        };
        for ((validator, stake), row) in now.validators.iter().zip(&now.rows) {
            if let Some(place) = places.get(validator) {
                epoch.rows[*place] = numbers(row);
                epoch.stakes[*place] = *stake as f64;
            }
        }
        epochs.push(epoch);
    }
    weight_copying::test(&epochs, whose.len(), RATE)
        .into_iter()
        .map(|found| CopyingSummary {
            of: whose[found.validator],
            correlation: found.correlation,
            low: found.interval.0,
            high: found.interval.1,
            epochs: u32::try_from(found.epochs).unwrap_or(u32::MAX),
            p_value: found.p_value,
            standing: match found.standing {
                Standing::Open => "open",
                Standing::Independent => "independent",
                Standing::LooksCopied => "looks_copied",
            }
            .to_owned(),
        })
        .collect()
}

fn cabal_of(rounds: &[Watched], seed: u64) -> Option<CabalSummary> {
    let last = rounds.last()?.weights.as_ref()?;
    let found = cabal::test(&last.as_rows(), seed)?;
    let mut evidence = Average::default();
    let p_values = rounds
        .iter()
        .filter_map(|round| round.weights.as_ref()?.cabal_p);
    p_values.for_each(|p| evidence.observe(correction::e_of_p(p)));
    Some(CabalSummary {
        validators: found
            .validators
            .iter()
            .map(|index| last.validators[*index].0)
            .collect(),
        miners: found
            .miners
            .iter()
            .map(|index| last.miners[*index])
            .collect(),
        density: found.density,
        p_value: found.p_value,
        p_smallest: found.p_smallest,
        e_value: evidence.e_value(),
    })
}

#[cfg(test)]
mod tests;
