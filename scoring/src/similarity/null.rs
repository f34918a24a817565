//! Hold what honest siblings look like: distances among students that were distilled independently.
//!
//! The distances of pairs share models, so they are no independent sample. A conformal p-value counts models, not pairs:
//! with m siblings it cannot get below 1 / (m + 1). Beyond that only a tail model says anything: the logarithms of the pairs'
//! distances are taken for normal, the fit is shown (Kolmogorov-Smirnov), and its p-value is the upper bound over
//! a cluster bootstrap, which draws whole models.

use std::collections::BTreeSet;

use athanor_spec::Digest;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};
use thiserror::Error;

/// Draws of models behind a bound of the tail model, of which the largest counts: the percentiles of so few clusters are
/// too short (95 % covered 80 % in the simulation of the tests), the largest of so many covers about 95 %.
const BOOTSTRAP: usize = 400;
/// Fewest models that a tail is fitted on.
pub const MIN_MODELS: usize = 21;

/// Distances between two independently distilled students.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiblingPair {
    /// Index of the one.
    pub a: u32,
    /// Index of the other, larger.
    pub b: u32,
    /// Median absolute difference of log-probabilities on decision positions, nats.
    pub behaviour: f64,
    /// Distance of the weights, later against earlier; `None` where the shapes cannot be compared.
    pub weights: Option<f64>,
    /// Share of their innovations that both have, in [-1, 1]; `None` where they cannot be compared.
    pub shared: Option<f64>,
}

/// The measured null, with where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NullSample {
    /// How the siblings were made and measured.
    pub source: String,
    /// Tensor digest of the teacher that they are students of. For students of another one the null says nothing.
    pub teacher: String,
    /// The command that measured them.
    pub command: String,
    /// Seed of the weights' signatures and innovations: distances compare with this null only when made with it.
    pub seed: u64,
    /// Tensor digests of the siblings, in order.
    pub models: Vec<String>,
    /// All pairs, dependent as they share models.
    pub pairs: Vec<SiblingPair>,
}

/// Why a null sample cannot be used.
#[derive(Debug, Error)]
pub enum NullError {
    /// Not a null sample.
    #[error("not a null sample: {0}")]
    Json(#[from] serde_json::Error),
    /// A pair names a model that is not there, itself, or a pair that stands twice.
    #[error("the pair ({a}, {b}) is not one of {models} models, or stands twice")]
    Pair {
        /// Index of the one.
        a: u32,
        /// Index of the other.
        b: u32,
        /// Number of models.
        models: usize,
    },
    /// A distance that is no distance.
    #[error("the distance {0} is not a number from 0 on")]
    Distance(f64),
    /// A correlation that is none.
    #[error("the correlation {0} is not in [-1, 1]")]
    Correlation(f64),
}

/// Which distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of what the models say.
    Behaviour,
    /// Of their weights.
    Weights,
    /// One minus the share of their innovations that both have.
    Innovation,
}

/// The lower tail of the distances of sibling pairs: ln(distance) is normal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tail {
    /// Mean of ln(distance).
    pub mean: f64,
    /// Standard deviation of ln(distance).
    pub sd: f64,
    /// Kolmogorov-Smirnov distance of the sample to the fit.
    pub ks: f64,
    /// Pairs fitted on; dependent.
    pub pairs: usize,
    /// (mean, sd) of each draw of whole models.
    #[serde(skip)]
    draws: Vec<(f64, f64)>,
}

impl NullSample {
    /// The null that ships with this program: siblings of the bundled teacher.
    pub fn shipped() -> Self {
        let text = include_str!("../../data/siblings.json");
        Self::from_json(text).expect("the shipped null sample is read by a test")
    }

    /// Reads and checks a null sample.
    pub fn from_json(text: &str) -> Result<Self, NullError> {
        let sample: Self = serde_json::from_str(text)?;
        let mut seen = BTreeSet::new();
        for pair in &sample.pairs {
            let (a, b, models) = (pair.a, pair.b, sample.models.len());
            if a >= b || b as usize >= models || !seen.insert((a, b)) {
                return Err(NullError::Pair { a, b, models });
            }
            for distance in [Some(pair.behaviour), pair.weights].into_iter().flatten() {
                if !(distance >= 0.0 && distance.is_finite()) {
                    return Err(NullError::Distance(distance));
                }
            }
            if let Some(shared) = pair.shared.filter(|it| !(-1.0..=1.0).contains(it)) {
                return Err(NullError::Correlation(shared));
            }
        }
        Ok(sample)
    }

    /// Writes it.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Whether it is about students of the teacher with this tensor digest.
    pub fn is_of(&self, teacher: &Digest) -> bool {
        self.teacher == teacher.to_string()
    }

    /// Number of siblings.
    pub fn siblings(&self) -> usize {
        self.models.len()
    }

    /// Every sibling's distance to its nearest one, where it has any.
    pub fn nearest(&self, kind: Kind) -> Vec<f64> {
        let mut nearest = vec![f64::INFINITY; self.models.len()];
        for pair in &self.pairs {
            if let Some(distance) = kind.of(pair) {
                for index in [pair.a as usize, pair.b as usize] {
                    nearest[index] = nearest[index].min(distance);
                }
            }
        }
        nearest.retain(|distance| distance.is_finite());
        nearest
    }

    /// Conformal p-value of a model whose nearest of `earlier` models is at `distance`: the rank among the siblings'
    /// own nearest distances, which had one model less than siblings to choose from. A model that had more to choose
    /// from pays for each such group (union bound). Siblings of one null share neighbours, so that exchangeability holds
    /// up to one neighbour in m.
    pub fn conformal_p(&self, kind: Kind, distance: f64, earlier: usize) -> f64 {
        let nearest = self.nearest(kind);
        let as_near = nearest.iter().filter(|known| **known <= distance).count();
        let p = (1 + as_near) as f64 / (nearest.len() + 1) as f64;
        (p * self.groups(nearest.len(), earlier)).min(1.0)
    }

    /// The smallest p-value that [`Self::conformal_p`] can give.
    pub fn smallest_p(&self, kind: Kind, earlier: usize) -> f64 {
        let count = self.nearest(kind).len();
        (self.groups(count, earlier) / (count + 1) as f64).min(1.0)
    }

    fn groups(&self, siblings: usize, earlier: usize) -> f64 {
        earlier.div_ceil(siblings.saturating_sub(1).max(1)).max(1) as f64
    }

    /// Fits the tail; `None` with fewer than [`MIN_MODELS`] siblings that have this distance, or when all are equal.
    /// `seed` draws the bootstrap.
    pub fn tail(&self, kind: Kind, seed: u64) -> Option<Tail> {
        if self.nearest(kind).len() < MIN_MODELS {
            return None;
        }
        let logs: Vec<(usize, usize, f64)> = self
            .pairs
            .iter()
            .filter_map(|pair| {
                let distance = kind.of(pair).filter(|distance| *distance > 0.0)?;
                Some((pair.a as usize, pair.b as usize, distance.ln()))
            })
            .collect();
        let (mean, sd) = moments(logs.iter().map(|(_, _, log)| (1.0, *log)))?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let draws = (0..BOOTSTRAP)
            .filter_map(|_| {
                let mut times = vec![0.0_f64; self.models.len()];
                for _ in 0..self.models.len() {
                    times[rng.random_range(0..self.models.len())] += 1.0;
                }
                moments(logs.iter().map(|(a, b, log)| (times[*a] * times[*b], *log)))
            })
            .collect();
        let normal = Normal::new(mean, sd).ok()?;
        let mut sorted: Vec<f64> = logs.iter().map(|(_, _, log)| *log).collect();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len() as f64;
        let ks = sorted
            .iter()
            .enumerate()
            .map(|(i, log)| {
                let fitted = normal.cdf(*log);
                (fitted - i as f64 / n)
                    .abs()
                    .max(((i + 1) as f64 / n - fitted).abs())
            })
            .fold(0.0, f64::max);
        Some(Tail {
            mean,
            sd,
            ks,
            pairs: sorted.len(),
            draws,
        })
    }
}

impl Kind {
    /// This distance of a pair; `None` where it was not measured.
    pub fn of(self, pair: &SiblingPair) -> Option<f64> {
        match self {
            Self::Behaviour => Some(pair.behaviour),
            Self::Weights => pair.weights,
            Self::Innovation => pair.shared.map(|shared| 1.0 - shared),
        }
    }
}

impl Tail {
    /// Upper bound of the probability that one of `earlier` siblings is as near as `distance`: the largest over a bootstrap
    /// of whole models, which covers about 95 %, times the number of siblings (union bound).
    pub fn p_bound(&self, distance: f64, earlier: usize) -> f64 {
        let log = distance.max(f64::MIN_POSITIVE).ln();
        let bound = self
            .draws
            .iter()
            .chain([&(self.mean, self.sd)])
            .filter_map(|(mean, sd)| Some(Normal::new(*mean, *sd).ok()?.cdf(log)))
            .fold(0.0, f64::max);
        (bound * earlier.max(1) as f64).min(1.0)
    }

    /// The largest distance at which [`Self::p_bound`] is at most `alpha`, by bisection; 0 where there is none.
    pub fn threshold(&self, alpha: f64, earlier: usize) -> f64 {
        let (mut low, mut high) = (self.mean - 60.0 * self.sd, self.mean + 10.0 * self.sd);
        if self.p_bound(low.exp(), earlier) > alpha {
            return 0.0;
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.p_bound(middle.exp(), earlier) <= alpha {
                low = middle;
            } else {
                high = middle;
            }
        }
        low.exp()
    }
}

/// Weighted mean and standard deviation; `None` when there is no spread.
fn moments(weighted: impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64)> {
    let (mut total, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for (weight, value) in weighted {
        total += weight;
        sum += weight * value;
        squares += weight * value * value;
    }
    if total <= 1.0 {
        return None;
    }
    let mean = sum / total;
    let variance = (squares / total - mean * mean) * total / (total - 1.0);
    (variance > 0.0 && variance.is_finite()).then(|| (mean, variance.sqrt()))
}

#[cfg(test)]
pub(crate) mod tests;
