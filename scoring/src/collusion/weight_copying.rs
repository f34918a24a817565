//! Test whether a validator copies weights: does it know anything about an epoch that the last consensus did not say?
//!
//! The innovation of a row of weights is what is left of it after a regression on the last epoch's consensus. Null, for every
//! validator: it graded for itself, so its innovations correlate with those of the others' (leave-one-out) consensus at least
//! [`FLOOR`] times as much as the median validator's do. A copier's correlate by about 0. Statistic: Fisher's z, summed over
//! epochs, Z = sum sqrt(M - 4) (atanh rho - atanh rho_0) / sqrt(E). Correction: Benjamini-Yekutieli over validators.
//! One epoch never gives a verdict, as slowly drifting scores make honest innovations small: without [`MIN_EPOCHS`]
//! epochs, or where the median validator's innovations are hardly correlated either, everybody is "open". What it
//! does: shown, with the interval of the correlation.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal};

use super::leak::median;
use crate::correction;

/// Epochs before which nothing is said.
pub const MIN_EPOCHS: usize = 4;
/// Share of the median validator's correlation that an honest one reaches under the null.
pub const FLOOR: f64 = 0.5;
/// Least pooled correlation of the median validator at which copiers can be told from honest ones.
const INFORMATIVE: f64 = 0.1;

/// One epoch's revealed weights.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightEpoch {
    /// Row per validator, one weight per miner; rows are brought to sum one.
    pub rows: Vec<Vec<f64>>,
    /// Stake per validator.
    pub stakes: Vec<f64>,
    /// The consensus of the epoch before, as everybody could read it.
    pub last_consensus: Vec<f64>,
}

/// How a validator stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Too few epochs, or an epoch is not informative enough to tell.
    Open,
    /// Nothing against its own grading.
    Independent,
    /// Its innovations are less correlated than an honest validator's.
    LooksCopied,
}

/// What the test says of one validator.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Copying {
    /// Index of the validator.
    pub validator: usize,
    /// Pooled correlation of its innovations with the others'.
    pub correlation: f64,
    /// Its 95 % interval.
    pub interval: (f64, f64),
    /// Epochs that it rests on.
    pub epochs: usize,
    /// p-value of the null "honest".
    pub p_value: f64,
    /// How it stands.
    pub standing: Standing,
}

/// Tests every validator over some epochs at false discovery rate `q`. Rows of another length than the consensus count
/// for nothing in their epoch.
pub fn test(epochs: &[WeightEpoch], validators: usize, q: f64) -> Vec<Copying> {
    // Per validator the sums over epochs of sqrt(M - 4) atanh rho and of sqrt(M - 4), of M - 4, and their number.
    let mut pooled = vec![(0.0, 0.0, 0.0, 0_usize); validators];
    for epoch in epochs {
        for (validator, rho) in correlations(epoch).into_iter().enumerate().take(validators) {
            let (Some(rho), Some(pooled)) = (rho, pooled.get_mut(validator)) else {
                continue;
            };
            let weight = epoch.last_consensus.len().saturating_sub(4) as f64;
            pooled.0 += weight.sqrt() * rho.clamp(-0.9999, 0.9999).atanh();
            pooled.1 += weight.sqrt();
            pooled.2 += weight;
            pooled.3 += 1;
        }
    }
    let known: Vec<f64> = pooled
        .iter()
        .filter(|p| p.3 > 0)
        .map(|p| p.0 / p.1.max(1e-9))
        .collect();
    if known.is_empty() {
        return Vec::new();
    }
    let typical = median(&known);
    let floor = (FLOOR * typical.tanh()).atanh();
    let p_value = |(sum, weights, _, epochs): (f64, f64, f64, usize)| {
        if epochs == 0 {
            return 1.0;
        }
        Normal::standard().cdf((sum - weights * floor) / (epochs as f64).sqrt())
    };
    let p_values: Vec<f64> = pooled.iter().map(|pooled| p_value(*pooled)).collect();
    let rejected = correction::benjamini_yekutieli(&p_values, validators as u64, q);
    pooled
        .iter()
        .enumerate()
        .filter(|(_, pooled)| pooled.3 > 0)
        .map(|(validator, (sum, weights, squares, epochs))| {
            let z = sum / weights.max(1e-9);
            let half = 1.96 / squares.max(1e-9).sqrt();
            let told = *epochs >= MIN_EPOCHS && typical.tanh() >= INFORMATIVE;
            Copying {
                validator,
                correlation: z.tanh(),
                interval: ((z - half).tanh(), (z + half).tanh()),
                epochs: *epochs,
                p_value: p_values[validator],
                standing: match (told, rejected.binary_search(&validator).is_ok()) {
                    (false, _) => Standing::Open,
                    (true, false) => Standing::Independent,
                    (true, true) => Standing::LooksCopied,
                },
            }
        })
        .collect()
}

/// Every validator's correlation of innovations in one epoch; `None` where it has none, such as for an exact copy of the
/// last consensus or for a validator that is alone. An exact copy has no innovation: that is a correlation of 0.
fn correlations(epoch: &WeightEpoch) -> Vec<Option<f64>> {
    let miners = epoch.last_consensus.len();
    let last = normalised(&epoch.last_consensus);
    let rows: Vec<Option<Vec<f64>>> = epoch
        .rows
        .iter()
        .map(|row| (row.len() == miners && miners > 4).then(|| normalised(row)))
        .collect();
    let stake = |validator: usize| epoch.stakes.get(validator).copied().unwrap_or(0.0).max(0.0);
    let mut total = vec![0.0; miners];
    let mut total_stake = 0.0;
    for (validator, row) in rows.iter().enumerate() {
        for (total, weight) in total.iter_mut().zip(row.iter().flatten()) {
            *total += stake(validator) * weight;
        }
        total_stake += if row.is_some() { stake(validator) } else { 0.0 };
    }
    rows.iter()
        .enumerate()
        .map(|(validator, row)| {
            let row = row.as_ref()?;
            let others = total_stake - stake(validator);
            if others <= 0.0 {
                return None;
            }
            let consensus: Vec<f64> = total
                .iter()
                .zip(row)
                .map(|(total, weight)| (total - stake(validator) * weight) / others)
                .collect();
            let (own, common) = (innovation(row, &last), innovation(&consensus, &last));
            Some(correlation(&own, &common))
        })
        .collect()
}

fn normalised(row: &[f64]) -> Vec<f64> {
    let total: f64 = row.iter().filter(|weight| weight.is_finite()).sum();
    let scale = if total > 0.0 { 1.0 / total } else { 0.0 };
    row.iter()
        .map(|weight| {
            if weight.is_finite() {
                weight * scale
            } else {
                0.0
            }
        })
        .collect()
}

/// What is left of `row` after a regression on `last` with an intercept.
fn innovation(row: &[f64], last: &[f64]) -> Vec<f64> {
    let n = row.len() as f64;
    let (mean, last_mean) = (row.iter().sum::<f64>() / n, last.iter().sum::<f64>() / n);
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (value, last) in row.iter().zip(last) {
        covariance += (value - mean) * (last - last_mean);
        variance += (last - last_mean).powi(2);
    }
    let slope = if variance > 0.0 {
        covariance / variance
    } else {
        0.0
    };
    row.iter()
        .zip(last)
        .map(|(value, last)| value - mean - slope * (last - last_mean))
        .collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let lengths = (product(a, a) * product(b, b)).sqrt();
    // What rounding left of an exact copy is no innovation.
    if lengths > 1e-15 {
        product(a, b) / lengths
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::collusion::population::{self, Grading};

    fn run(grading: &Grading, seed: u64) -> Vec<Copying> {
        let epochs = population::weights(grading, &mut ChaCha8Rng::seed_from_u64(seed));
        test(&epochs, grading.validators, 0.05)
    }

    fn copied(found: &[Copying]) -> Vec<usize> {
        let looks = |copying: &&Copying| copying.standing == Standing::LooksCopied;
        found
            .iter()
            .filter(looks)
            .map(|copying| copying.validator)
            .collect()
    }

    const HONEST: Grading = Grading {
        validators: 16,
        miners: 60,
        epochs: 12,
        noise: 0.2,
        drift: 0.15,
        copiers: 0,
        cabal: 0,
        boost: 0.0,
    };

    #[test]
    fn copiers_are_told_from_honest_validators() {
        assert_eq!(
            copied(&run(
                &Grading {
                    copiers: 3,
                    ..HONEST
                },
                1
            )),
            [0, 1, 2]
        );
    }

    #[test]
    fn honest_validators_are_left_alone_over_many_seeds() {
        let accused = (0..200)
            .filter(|seed| !copied(&run(&HONEST, 10 + seed)).is_empty())
            .count();
        assert!(accused <= 10, "{accused} of 200");
    }

    #[test]
    fn one_epoch_never_gives_a_verdict() {
        let one = Grading {
            epochs: 1,
            copiers: 3,
            ..HONEST
        };
        assert!(
            run(&one, 1)
                .iter()
                .all(|copying| copying.standing == Standing::Open)
        );
    }

    #[test]
    fn an_exact_copy_has_a_correlation_of_zero() {
        let last = vec![0.1, 0.2, 0.3, 0.15, 0.15, 0.1];
        let honest = vec![0.2, 0.1, 0.3, 0.2, 0.1, 0.1];
        let epoch = WeightEpoch {
            rows: vec![last.clone(), honest.clone(), honest, vec![0.5; 2]],
            stakes: vec![1.0; 4],
            last_consensus: last,
        };
        let found = correlations(&epoch);
        assert_eq!(found[0], Some(0.0));
        assert!(found[1].is_some_and(|rho| rho > 0.5));
        assert_eq!(found[3], None);
    }
}
