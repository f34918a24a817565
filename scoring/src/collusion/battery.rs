//! Run the whole battery on one epoch's plain arrays, and say what it found.
//!
//! Growth with the number of members n: the copy test is n^2 up to [`crate::similarity::nearest::ALL_PAIRS`] models and
//! n log n beyond, leaked prompts and lazy validators are n, weight copying and cabals are validators times miners. The
//! pairs of shared machines and of coupled latencies are screened by one dot product each: moderate correlations among n
//! series cannot be found in near-linear time, but a product of 60 to 200 numbers is so cheap that 4,096 members take
//! seconds; the exact test runs on what the screen leaves, which grows with n.

use serde::Serialize;

use super::{
    cabal::{self, Cabal, Rows},
    latency::{self, CoupledLatency, Timing},
    lazy::{self, Openings},
    leak::{self, Leak},
    shared_backend::{self, LoadBlock, SharedBackend},
    weight_copying::{self, Copying, Standing, WeightEpoch},
};
use crate::similarity::copies::{Comparison, CopyTest, Model, Resemblance};

/// False discovery rate of every test.
pub const RATE: f64 = 0.05;
/// Share of a transcript's leaves that honest trouble explains.
const TOLERATED: f64 = 0.01;

/// What is known of an epoch; what is not known stays empty, and its test is left out.
#[derive(Clone, Debug, Default)]
pub struct Observed<'a> {
    /// Models in the order of their priority.
    pub models: Vec<Model<'a>>,
    /// Blocks of load.
    pub load: &'a [LoadBlock],
    /// Timed answers.
    pub timings: &'a [Timing],
    /// Number of miners in `timings`, and of time bins.
    pub timed: (usize, usize),
    /// Public minus private scores per miner.
    pub gaps: Vec<&'a [f32]>,
    /// Revealed weights of the last epochs.
    pub weights: &'a [WeightEpoch],
    /// Revealed weights of the last epoch, with regions.
    pub rows: Option<&'a Rows>,
    /// Leaves opened and failed, per validator.
    pub openings: &'a [(u32, u32)],
}

/// What the battery found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Findings {
    /// Models that resemble their nearest earlier one more than siblings do.
    pub resembling: Vec<Comparison>,
    /// Pairs of miners with evidence of a shared machine.
    pub shared_backends: Vec<SharedBackend>,
    /// Pairs with coupled latencies.
    pub coupled_latency: Option<CoupledLatency>,
    /// Miners flagged for overfitting to public prompts.
    pub leaks: Vec<Leak>,
    /// How every validator stands between grading and copying.
    pub copying: Vec<Copying>,
    /// The densest block of weights.
    pub cabal: Option<Cabal>,
    /// What openings say, per validator.
    pub openings: Vec<Openings>,
}

/// Runs every test that has something to look at. `seed` draws screens, permutations and bootstraps.
pub fn run(observed: &Observed<'_>, copies: &CopyTest, seed: u64) -> Findings {
    let (miners, bins) = observed.timed;
    let validators = observed
        .weights
        .iter()
        .map(|epoch| epoch.rows.len())
        .max()
        .unwrap_or(0);
    let distinct = |comparison: &Comparison| comparison.resemblance == Resemblance::Distinct;
    Findings {
        resembling: copies
            .run(&observed.models, seed)
            .into_iter()
            .filter(|comparison| !distinct(comparison))
            .collect(),
        shared_backends: shared_backend::test(observed.load, RATE)
            .into_iter()
            .filter(|pair| pair.rejected)
            .collect(),
        coupled_latency: (!observed.timings.is_empty())
            .then(|| latency::test(observed.timings, miners, bins, RATE)),
        leaks: leak::test(&observed.gaps, RATE, seed)
            .into_iter()
            .filter(|leak| leak.flagged)
            .collect(),
        copying: weight_copying::test(observed.weights, validators, RATE),
        cabal: observed.rows.and_then(|rows| cabal::test(rows, seed)),
        openings: observed
            .openings
            .iter()
            .map(|(opened, failed)| lazy::judge(*opened, *failed, TOLERATED))
            .collect(),
    }
}

impl Findings {
    /// Findings that a reader should look at, one line each, in the words of the field.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for found in &self.resembling {
            let word = match found.resemblance {
                Resemblance::SameClass => "is of the class of",
                Resemblance::Similar | Resemblance::Distinct => "is similar to",
            };
            lines.push(format!(
                "model {} {word} model {}: {:.4} nats apart, conformal p {:.3} (smallest possible {:.3})",
                found.later, found.earlier, found.measured.behaviour, found.p_conformal, found.p_smallest,
            ));
        }
        for found in &self.shared_backends {
            lines.push(format!(
                "miners {} and {} share a machine: e-value {:.2e}, log-rate {:+.2} when loaded together",
                found.pair.a, found.pair.b, found.e_value, found.log_rate_change,
            ));
        }
        for found in &self.leaks {
            lines.push(format!(
                "miner {} is {:.3} better on public prompts than the others: p {:.4}",
                found.miner, found.excess, found.p_value,
            ));
        }
        for found in self
            .copying
            .iter()
            .filter(|found| found.standing == Standing::LooksCopied)
        {
            lines.push(format!(
                "validator {} looks like a copier: innovations correlate by {:.2} ({:.2} to {:.2}) over {} epochs",
                found.validator, found.correlation, found.interval.0, found.interval.1, found.epochs,
            ));
        }
        if let Some(found) = self.cabal.as_ref().filter(|found| found.p_value <= RATE) {
            lines.push(format!(
                "validators {:?} lift miners {:?} together: p {:.3} (smallest possible {:.3})",
                found.validators, found.miners, found.p_value, found.p_smallest,
            ));
        }
        for (validator, found) in self
            .openings
            .iter()
            .enumerate()
            .filter(|(_, o)| o.failed > 0)
        {
            lines.push(format!(
                "validator {validator}: {} of {} opened leaves failed, at least {:.1} % skipped: e-value {:.2e}",
                found.failed, found.opened, 100.0 * found.skipped_at_least, found.e_value,
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests;
