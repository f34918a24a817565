//! Draw synthetic populations, honest and dishonest, to measure the rates of the tests without a network.
//!
//! Each function states its model. The dishonest members come first: pairs (0, 1), (2, 3) and so on share, the first few
//! memorise, copy, or form the cabal.

use rand::{Rng, RngCore, seq::SliceRandom};

use super::{cabal::Rows, latency::Timing, shared_backend::LoadBlock, weight_copying::WeightEpoch};
use crate::synthetic::normal;

/// Load in blocks of four phases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Miners.
    pub miners: usize,
    /// Blocks.
    pub blocks: usize,
    /// Standard deviation of a contrast of log-rates.
    pub noise: f64,
    /// Pairs that share a machine.
    pub shared: usize,
    /// What the log-rate of one loses while the other is loaded; ln 2 where a machine's capacity is simply divided.
    pub slowdown: f64,
}

/// Contrast = own level + noise, minus the slowdown where both of a sharing pair are in one half (each is slowed in its own
/// phases), plus it where they are in different ones (each is slowed in the other's).
pub fn load_blocks(load: &Load, rng: &mut impl RngCore) -> Vec<LoadBlock> {
    let levels: Vec<f64> = (0..load.miners).map(|_| -0.2 + 0.1 * draw(rng)).collect();
    (0..load.blocks)
        .map(|_| {
            let mut first_half: Vec<bool> = (0..load.miners).map(|i| i < load.miners / 2).collect();
            first_half.shuffle(rng);
            let contrasts = (0..load.miners)
                .map(|miner| {
                    let partner = miner ^ 1;
                    let sharing = miner / 2 < load.shared && partner < load.miners;
                    let shared = match sharing {
                        true if first_half[miner] == first_half[partner] => -load.slowdown,
                        true => load.slowdown,
                        false => 0.0,
                    };
                    (levels[miner] + load.noise * draw(rng) + shared) as f32
                })
                .collect();
            LoadBlock {
                first_half,
                contrasts,
            }
        })
        .collect()
}

/// Latencies of all miners over some time bins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latencies {
    /// Miners, spread over four regions.
    pub miners: usize,
    /// Time bins; six make an hour.
    pub bins: usize,
    /// Autocorrelation from bin to bin of a miner's own load.
    pub autocorrelation: f64,
    /// Standard deviation of what region and hour do to everybody in a region.
    pub regional: f64,
    /// Pairs whose load is partly the same.
    pub coupled: usize,
    /// Share of the variance of their load that is.
    pub coupling: f64,
}

impl Latencies {
    /// Nobody is coupled.
    pub fn honest(miners: usize, bins: usize) -> Self {
        Self {
            miners,
            bins,
            autocorrelation: 0.5,
            regional: 0.2,
            coupled: 0,
            coupling: 0.0,
        }
    }
}

/// ln latency = miner + region by hour + slope times ln prompt + own load (autoregressive, sd 0.3) + noise (sd 0.1); one
/// answer per miner and bin, by one of three validators.
pub fn latencies(latencies: &Latencies, rng: &mut impl RngCore) -> Vec<Timing> {
    const REGIONS: usize = 4;
    let hour = |bin: usize| bin / 6 % 24;
    let levels: Vec<f64> = (0..latencies.miners).map(|_| 0.5 * draw(rng)).collect();
    let mut weather = vec![0.0; REGIONS * 24];
    weather
        .iter_mut()
        .for_each(|effect| *effect = latencies.regional * draw(rng));
    let series = |rng: &mut _| {
        let keep = latencies.autocorrelation;
        let mut state: f64 = draw(rng);
        (0..latencies.bins)
            .map(|_| {
                state = keep * state + (1.0 - keep * keep).sqrt() * draw(rng);
                state
            })
            .collect::<Vec<f64>>()
    };
    let own: Vec<Vec<f64>> = (0..latencies.miners).map(|_| series(rng)).collect();
    let common: Vec<Vec<f64>> = (0..latencies.coupled).map(|_| series(rng)).collect();
    let mut timings = Vec::with_capacity(latencies.miners * latencies.bins);
    for bin in 0..latencies.bins {
        for miner in 0..latencies.miners {
            let load = match common.get(miner / 2) {
                Some(common) => {
                    latencies.coupling.sqrt() * common[bin]
                        + (1.0 - latencies.coupling).sqrt() * own[miner][bin]
                }
                None => own[miner][bin],
            };
            // Partners are in different regions, so that the region alone does not couple them.
            let region = (miner / 2 + miner % 2) % REGIONS;
            let log_prompt = rng.random_range(3.0..7.0);
            timings.push(Timing {
                miner,
                region,
                validator: rng.random_range(0..3),
                hour: hour(bin),
                bin,
                log_prompt,
                log_latency: levels[miner]
                    + weather[region * 24 + hour(bin)]
                    + 0.3 * log_prompt
                    + 0.3 * load
                    + 0.1 * draw(rng),
            });
        }
    }
    timings
}

/// Scores on pairs of a public and a private prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaps {
    /// Miners.
    pub miners: usize,
    /// Prompt pairs.
    pub pairs: usize,
    /// Mean gap of everybody: the public prompts are easier or harder.
    pub shift: f64,
    /// Standard deviation of a gap.
    pub noise: f64,
    /// Miners that memorised the public prompts.
    pub memorisers: usize,
    /// What it gains them on average.
    pub gain: f64,
}

/// Gap = shift + difficulty of the pair (sd 0.2, the same for all) + noise, plus the gain; cut to [-1, 1].
pub fn gaps(gaps: &Gaps, rng: &mut impl RngCore) -> Vec<Vec<f32>> {
    let difficulty: Vec<f64> = (0..gaps.pairs).map(|_| 0.2 * draw(rng)).collect();
    (0..gaps.miners)
        .map(|miner| {
            let gain = if miner < gaps.memorisers {
                gaps.gain
            } else {
                0.0
            };
            difficulty
                .iter()
                .map(|pair| {
                    (gaps.shift + pair + gaps.noise * draw(rng) + gain).clamp(-1.0, 1.0) as f32
                })
                .collect()
        })
        .collect()
}

/// Validators that grade miners whose quality drifts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grading {
    /// Validators, of log-normal stakes.
    pub validators: usize,
    /// Miners.
    pub miners: usize,
    /// Epochs.
    pub epochs: usize,
    /// Standard deviation of ln of a validator's weight around the quality.
    pub noise: f64,
    /// Standard deviation of what ln of a miner's quality moves per epoch.
    pub drift: f64,
    /// Validators that publish the last consensus with a hundredth of noise.
    pub copiers: usize,
    /// Validators that multiply the weights of as many miners by one plus the boost.
    pub cabal: usize,
    /// What they add.
    pub boost: f64,
}

/// ln weight = ln quality + noise; quality is log-normal (sd 0.5) and drifts. The consensus is the stake-weighted mean.
pub fn weights(grading: &Grading, rng: &mut impl RngCore) -> Vec<WeightEpoch> {
    let mut quality: Vec<f64> = (0..grading.miners).map(|_| 0.5 * draw(rng)).collect();
    let stakes: Vec<f64> = (0..grading.validators)
        .map(|_| (0.5 * draw(rng)).exp())
        .collect();
    let mut last_consensus: Vec<f64> = quality.iter().map(|quality| quality.exp()).collect();
    (0..grading.epochs)
        .map(|_| {
            quality
                .iter_mut()
                .for_each(|quality| *quality += grading.drift * draw(rng));
            let mut rows = Vec::with_capacity(grading.validators);
            for validator in 0..grading.validators {
                let mut row: Vec<f64> = match validator < grading.copiers {
                    true => last_consensus
                        .iter()
                        .map(|w| w * (0.01 * draw(rng)).exp())
                        .collect(),
                    false => quality
                        .iter()
                        .map(|q| (q + grading.noise * draw(rng)).exp())
                        .collect(),
                };
                if validator < grading.cabal {
                    row.iter_mut()
                        .take(grading.cabal)
                        .for_each(|w| *w *= 1.0 + grading.boost);
                }
                let total: f64 = row.iter().sum();
                rows.push(
                    row.iter()
                        .map(|weight| weight / total)
                        .collect::<Vec<f64>>(),
                );
            }
            let total: f64 = stakes.iter().sum();
            let consensus = (0..grading.miners)
                .map(|miner| {
                    rows.iter()
                        .zip(&stakes)
                        .map(|(row, stake)| row[miner] * stake)
                        .sum::<f64>()
                        / total
                })
                .collect();
            WeightEpoch {
                rows,
                stakes: stakes.clone(),
                last_consensus: std::mem::replace(&mut last_consensus, consensus),
            }
        })
        .collect()
}

/// The last epoch of [`weights`], all in one region.
pub fn rows(grading: &Grading, rng: &mut impl RngCore) -> Rows {
    let last = weights(grading, rng).pop();
    Rows {
        rows: last.map_or_else(Vec::new, |epoch| epoch.rows),
        validator_regions: vec![0; grading.validators],
        miner_regions: vec![0; grading.miners],
    }
}

fn draw(rng: &mut (impl RngCore + ?Sized)) -> f64 {
    f64::from(normal(&mut &mut *rng))
}
