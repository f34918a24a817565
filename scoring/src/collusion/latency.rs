//! Screen for coupled latency: do two miners get slow at the same times, beyond what region, prompt and hour explain?
//!
//! Null: after the effects of miner, validator by region, region by hour, time and prompt length, two miners' residuals are
//! unrelated, however each moves by itself. Statistic: their correlation over time bins. Null distribution: all circular shifts of one
//! series against the other, which keep each one's autocorrelation (a naive permutation does not, and accuses slow
//! drifts). Correction: Benjamini-Yekutieli over all pairs. The p-value cannot get below 1 / bins, which no correction over
//! thousands of pairs lets through: this is a screen, it names whom to load together, and accuses nobody.

use serde::Serialize;

use super::{Pair, pairs};
use crate::{correction, similarity::weights::dot};

/// Rounds of taking out one effect after the other; each removes what the others left in.
const SWEEPS: usize = 12;
/// Standard deviations of an unrelated correlation from which on a pair is shifted.
const SCREEN: f32 = 3.0;
/// Pairs shifted at most per miner, those of the largest correlation first.
const SHIFTED_PER_MINER: usize = 16;

/// One timed answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Who answered.
    pub miner: usize,
    /// Where from: a region or autonomous system.
    pub region: usize,
    /// Who measured.
    pub validator: usize,
    /// Hour of the day.
    pub hour: usize,
    /// Time bin of the series, below the number of bins.
    pub bin: usize,
    /// ln of the prompt's tokens.
    pub log_prompt: f64,
    /// ln of the seconds, by the validator's socket.
    pub log_latency: f64,
}

/// A pair with coupled latencies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Coupled {
    /// Who.
    pub pair: Pair,
    /// Correlation of the residuals.
    pub correlation: f64,
    /// Rank among the circular shifts.
    pub p_value: f64,
}

/// What the screen gives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CoupledLatency {
    /// Pairs that were shifted, in the order of their names.
    pub pairs: Vec<Coupled>,
    /// The smallest p-value that a shift can give.
    pub p_smallest: f64,
    /// The p-value that a single pair would need for Benjamini-Yekutieli at this family.
    pub p_needed: f64,
}

/// Screens all pairs of `miners` over `bins` time bins at false discovery rate `q`.
pub fn test(timings: &[Timing], miners: usize, bins: usize, q: f64) -> CoupledLatency {
    let series = residual_series(timings, miners, bins);
    let mut candidates = Vec::new();
    let least = SCREEN / (bins.max(1) as f32).sqrt();
    for b in 1..miners {
        for a in 0..b {
            let correlation = dot(&series[a], &series[b]);
            if correlation > least {
                candidates.push((correlation, Pair { a, b }));
            }
        }
    }
    candidates.sort_by(|l, r| r.0.total_cmp(&l.0).then(l.1.cmp(&r.1)));
    candidates.truncate(SHIFTED_PER_MINER * miners);
    let mut found: Vec<Coupled> = candidates
        .into_iter()
        .map(|(correlation, pair)| Coupled {
            pair,
            correlation: f64::from(correlation),
            p_value: shift_p(&series[pair.a], &series[pair.b]),
        })
        .collect();
    found.sort_by_key(|coupled| coupled.pair);
    CoupledLatency {
        pairs: found,
        p_smallest: 1.0 / bins.max(1) as f64,
        p_needed: q / (pairs(miners).max(1) as f64 * correction::harmonic(pairs(miners))),
    }
}

impl CoupledLatency {
    /// The pairs that Benjamini and Yekutieli would reject.
    pub fn rejected(&self, miners: usize, q: f64) -> Vec<Pair> {
        let p_values: Vec<f64> = self.pairs.iter().map(|pair| pair.p_value).collect();
        correction::benjamini_yekutieli(&p_values, pairs(miners), q)
            .into_iter()
            .map(|index| self.pairs[index].pair)
            .collect()
    }
}

/// Each miner's residuals per bin, of mean 0 and length 1; all zero where nothing was left.
fn residual_series(timings: &[Timing], miners: usize, bins: usize) -> Vec<Vec<f32>> {
    let timings: Vec<&Timing> = timings
        .iter()
        .filter(|timing| {
            timing.miner < miners && timing.bin < bins && timing.log_latency.is_finite()
        })
        .collect();
    let mut residuals: Vec<f64> = timings.iter().map(|timing| timing.log_latency).collect();
    let regions = 1 + timings
        .iter()
        .map(|timing| timing.region)
        .max()
        .unwrap_or(0);
    let effects: [fn(&Timing, usize) -> usize; 4] = [
        |timing, _| timing.miner,
        |timing, regions| timing.validator * regions + timing.region,
        |timing, regions| timing.hour * regions + timing.region,
        |timing, _| timing.bin,
    ];
    for _ in 0..SWEEPS {
        for effect in effects {
            let group = |timing: &Timing| effect(timing, regions);
            let groups = 1 + timings
                .iter()
                .map(|timing| group(timing))
                .max()
                .unwrap_or(0);
            let (mut sums, mut counts) = (vec![0.0; groups], vec![0.0_f64; groups]);
            for (timing, residual) in timings.iter().zip(&residuals) {
                sums[group(timing)] += residual;
                counts[group(timing)] += 1.0;
            }
            for (timing, residual) in timings.iter().zip(&mut residuals) {
                *residual -= sums[group(timing)] / counts[group(timing)];
            }
        }
        let n = timings.len().max(1) as f64;
        let mean = timings.iter().map(|timing| timing.log_prompt).sum::<f64>() / n;
        let (mut covariance, mut variance) = (0.0, 0.0);
        for (timing, residual) in timings.iter().zip(&residuals) {
            covariance += (timing.log_prompt - mean) * residual;
            variance += (timing.log_prompt - mean).powi(2);
        }
        if variance > 0.0 {
            for (timing, residual) in timings.iter().zip(&mut residuals) {
                *residual -= covariance / variance * (timing.log_prompt - mean);
            }
        }
    }
    let mut sums = vec![vec![0.0_f64; bins]; miners];
    let mut counts = vec![vec![0.0_f64; bins]; miners];
    for (timing, residual) in timings.iter().zip(&residuals) {
        sums[timing.miner][timing.bin] += residual;
        counts[timing.miner][timing.bin] += 1.0;
    }
    sums.iter()
        .zip(&counts)
        .map(|(sums, counts)| unit(sums, counts))
        .collect()
}

fn unit(sums: &[f64], counts: &[f64]) -> Vec<f32> {
    let present = counts.iter().filter(|count| **count > 0.0).count().max(1) as f64;
    let value = |sum: f64, count: f64| if count > 0.0 { sum / count } else { 0.0 };
    let mean = sums
        .iter()
        .zip(counts)
        .map(|(s, c)| value(*s, *c))
        .sum::<f64>()
        / present;
    let centred: Vec<f64> = sums
        .iter()
        .zip(counts)
        .map(|(s, c)| if *c > 0.0 { value(*s, *c) - mean } else { 0.0 })
        .collect();
    let length = centred
        .iter()
        .map(|value| value * value)
        .sum::<f64>()
        .sqrt();
    let scale = if length > 1e-12 { 1.0 / length } else { 0.0 };
    centred.iter().map(|value| (value * scale) as f32).collect()
}

/// Share of circular shifts, the identity among them, with a correlation at least as large.
fn shift_p(a: &[f32], b: &[f32]) -> f64 {
    let twice: Vec<f32> = b.iter().chain(b).copied().collect();
    let own = dot(a, b);
    let as_large = (1..b.len())
        .filter(|shift| dot(a, &twice[*shift..shift + b.len()]) >= own)
        .count();
    (1 + as_large) as f64 / b.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::collusion::population::{self, Latencies};

    fn run(latencies: Latencies, seed: u64) -> CoupledLatency {
        let timings = population::latencies(&latencies, &mut ChaCha8Rng::seed_from_u64(seed));
        test(&timings, latencies.miners, latencies.bins, 0.05)
    }

    #[test]
    fn coupled_miners_are_the_first_that_the_screen_names() {
        let honest = Latencies::honest(24, 192);
        let result = run(
            Latencies {
                coupled: 2,
                coupling: 0.8,
                ..honest
            },
            1,
        );
        let surest: Vec<Pair> = result
            .pairs
            .iter()
            .filter(|p| p.p_value <= result.p_smallest)
            .map(|p| p.pair)
            .collect();
        assert!(surest.contains(&Pair { a: 0, b: 1 }), "{surest:?}");
        assert!(surest.contains(&Pair { a: 2, b: 3 }), "{surest:?}");
        assert!(surest.len() <= 6, "{surest:?}");
    }

    #[test]
    fn a_screen_cannot_accuse_and_says_so() {
        let result = run(
            Latencies {
                coupled: 2,
                coupling: 0.9,
                ..Latencies::honest(24, 192)
            },
            1,
        );
        assert!(result.p_smallest > result.p_needed);
        assert_eq!(result.rejected(24, 0.05), []);
    }

    #[test]
    fn slow_drifts_of_their_own_do_not_couple_two_miners() {
        // Autocorrelation 0.9: a naive permutation would call most large correlations significant.
        let (mut small, mut pairs) = (0, 0);
        for seed in 0..40 {
            let result = run(
                Latencies {
                    autocorrelation: 0.9,
                    ..Latencies::honest(12, 192)
                },
                seed,
            );
            small += result
                .pairs
                .iter()
                .filter(|pair| pair.p_value <= 0.01)
                .count();
            pairs += 12 * 11 / 2;
        }
        assert!(
            (small as f64) < 0.02 * f64::from(pairs),
            "{small} of {pairs}"
        );
    }

    #[test]
    fn region_hour_and_prompt_explain_what_they_explain() {
        let latencies = Latencies {
            regional: 0.5,
            ..Latencies::honest(16, 192)
        };
        let timings = population::latencies(&latencies, &mut ChaCha8Rng::seed_from_u64(5));
        let series = residual_series(&timings, 16, 192);
        let largest = (0..16)
            .flat_map(|b| (0..b).map(move |a| (a, b)))
            .map(|(a, b)| dot(&series[a], &series[b]))
            .fold(f32::NEG_INFINITY, f32::max);
        assert!(largest < 0.4, "{largest}");
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(test(&[], 0, 0, 0.05).pairs, []);
        assert_eq!(test(&[], 5, 10, 0.05).pairs, []);
    }
}
