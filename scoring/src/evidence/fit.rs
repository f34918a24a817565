//! Fit a calibration on replays of honest answers and of forgers' answers.

use thiserror::Error;

use super::{
    Alternative, Bins, Calibration, GroupCount, Provenance, TokenObservation,
    bounds::{clopper_pearson_upper, empirical_bernstein},
};

/// Held-out honest requests per unit of the cap C. A tenth of them is allowed ([`Calibration::REQUESTS_PER_CAP`]), but the
/// bound on the mean holds 7 C ln(2 / delta) / 3 n, some 2.5 at a tenth, by which every e-value would then be divided. At a
/// fortieth that is 0.6, so that the normaliser stays near 1: what forgers lose at the cap, all that is below it gains.
const HELD_OUT_PER_CAP: f64 = 40.0;
/// Fewest held-out honest requests of a group.
const MIN_HELD_OUT: usize = 100;
/// Tokens by which a forger's row is drawn towards the honest row: a cell that the forger was not seen in says little.
const HONEST_PRIOR: f64 = 4.0;
/// Tokens added to every cell of a forger, so that no cell is impossible for it.
const CELL_PRIOR: f64 = 0.1;

/// What a calibration is fitted on.
#[derive(Clone, Debug, Default)]
pub struct FitInput {
    /// What produced the observations, for [`Provenance::source`].
    pub source: String,
    /// The command that repeats the fit, for [`Provenance::command`].
    pub command: String,
    /// Processor and features, for [`Provenance::machine`].
    pub machine: String,
    /// Digests of the models, for [`Provenance::models`].
    pub models: Vec<String>,
    /// Seed of prompts and draws, for [`Provenance::seed`].
    pub seed: Option<u64>,
    /// Lowest temperature of the honest requests in thousandths, for [`Calibration::lowest_temperature_milli`].
    pub lowest_temperature_milli: u16,
    /// Probability in (0, 1) that a bound is too low; 1e-3 advised. Half goes to the table, half to the normaliser.
    pub delta: f64,
    /// Honest requests. Every second request of a group fits the table, the others the normaliser.
    pub honest: Vec<HonestGroup>,
    /// Forgers' requests, at least one kind.
    pub forgers: Vec<ForgerGroup>,
}

/// Honest requests of one pair of backends at one batch size, context length and temperature. The bounds hold for the
/// worst group, so what differs in noise belongs in groups of its own.
#[derive(Clone, Debug, Default)]
pub struct HonestGroup {
    /// Name for the provenance.
    pub name: String,
    /// One list of tokens per request; requests must be independent of each other.
    pub requests: Vec<Vec<TokenObservation>>,
}

/// Requests answered in one dishonest way.
#[derive(Clone, Debug, Default)]
pub struct ForgerGroup {
    /// Stable name of the alternative, such as `ignored_seed`.
    pub name: String,
    /// Weight in the mixture, above 0; weights are scaled to add up to 1.
    pub weight: f64,
    /// One list of tokens per request.
    pub requests: Vec<Vec<TokenObservation>>,
}

/// Why nothing can be fitted.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum FitError {
    /// No honest group.
    #[error("no honest requests to fit on")]
    NoHonestGroup,
    /// No forger.
    #[error("no forgers to fit alternatives on")]
    NoForger,
    /// A group is too small for any bound.
    #[error("honest group `{group}` has {found} requests; at least {needed} are needed")]
    TooFewRequests {
        /// Its name.
        group: String,
        /// Requests found.
        found: usize,
        /// Requests needed.
        needed: usize,
    },
    /// The error probability is not inside (0, 1).
    #[error("delta is {delta}, but it must be between 0 and 1, both excluded")]
    Delta {
        /// The value given.
        delta: f64,
    },
    /// A forger's weight is not positive.
    #[error("the weight of forger `{forger}` is {weight}, but it must be above 0")]
    Weight {
        /// Its name.
        forger: String,
        /// The value given.
        weight: f64,
    },
}

impl Calibration {
    /// Fits bounds, alternatives, cap and normaliser. Deterministic: the same input gives the same table.
    pub fn fit(input: &FitInput) -> Result<Self, FitError> {
        check(input)?;
        let bins = Bins::standard();
        let per_group = input.delta / 2.0 / input.honest.len() as f64;
        let mut honest_bound = vec![vec![0.0_f64; bins.margin.len()]; bins.gap.len()];
        for group in &input.honest {
            let counts = count(&bins, group.requests.iter().step_by(2));
            let bound = simultaneous_bound(&counts, per_group / bins.cells() as f64);
            for (row, bounds) in honest_bound.iter_mut().zip(bound) {
                for (cell, bound) in row.iter_mut().zip(bounds) {
                    *cell = cell.max(bound);
                }
            }
        }
        let total_weight: f64 = input.forgers.iter().map(|f| f.weight).sum();
        let alternatives = input
            .forgers
            .iter()
            .map(|forger| Alternative {
                name: forger.name.clone(),
                weight: forger.weight / total_weight,
                density: density(&count(&bins, forger.requests.iter()), &honest_bound),
            })
            .collect();
        let held_out = input
            .honest
            .iter()
            .map(|g| g.requests.len() / 2)
            .min()
            .unwrap_or(0);
        let cap = (held_out as f64 / HELD_OUT_PER_CAP).clamp(1.0, Calibration::MAX_CAP);
        let mut calibration = Self {
            provenance: provenance(input),
            bins,
            honest_bound,
            alternatives,
            cap,
            normaliser: 1.0,
            lowest_temperature_milli: input.lowest_temperature_milli,
        };
        for group in &input.honest {
            let held_out = group.requests.iter().skip(1).step_by(2);
            let values: Vec<f64> = held_out.map(|tokens| calibration.capped(tokens)).collect();
            calibration.normaliser = calibration
                .normaliser
                .max(empirical_bernstein(&values, cap, per_group));
        }
        Ok(calibration)
    }

    fn capped(&self, tokens: &[TokenObservation]) -> f64 {
        self.log_e_value(tokens).min(self.cap.ln()).exp()
    }
}

fn check(input: &FitInput) -> Result<(), FitError> {
    if !(input.delta > 0.0 && input.delta < 1.0) {
        return Err(FitError::Delta { delta: input.delta });
    }
    if input.honest.is_empty() {
        return Err(FitError::NoHonestGroup);
    }
    if input.forgers.is_empty() {
        return Err(FitError::NoForger);
    }
    if let Some(group) = input
        .honest
        .iter()
        .find(|g| g.requests.len() < 2 * MIN_HELD_OUT)
    {
        return Err(FitError::TooFewRequests {
            group: group.name.clone(),
            found: group.requests.len(),
            needed: 2 * MIN_HELD_OUT,
        });
    }
    if let Some(forger) = input
        .forgers
        .iter()
        .find(|f| !(f.weight > 0.0 && f.weight.is_finite()))
    {
        return Err(FitError::Weight {
            forger: forger.name.clone(),
            weight: forger.weight,
        });
    }
    Ok(())
}

fn provenance(input: &FitInput) -> Provenance {
    let group = |name: &str, requests: &[Vec<TokenObservation>]| GroupCount {
        name: name.to_owned(),
        requests: requests.len() as u64,
        tokens: requests.iter().map(|tokens| tokens.len() as u64).sum(),
    };
    Provenance {
        source: input.source.clone(),
        command: input.command.clone(),
        machine: input.machine.clone(),
        models: input.models.clone(),
        seed: input.seed,
        delta: input.delta,
        honest: input
            .honest
            .iter()
            .map(|g| group(&g.name, &g.requests))
            .collect(),
        forgers: input
            .forgers
            .iter()
            .map(|f| group(&f.name, &f.requests))
            .collect(),
    }
}

fn count<'a>(
    bins: &Bins,
    requests: impl Iterator<Item = &'a Vec<TokenObservation>>,
) -> Vec<Vec<u64>> {
    let mut counts = vec![vec![0; bins.margin.len()]; bins.gap.len()];
    for cell in requests.flatten().filter_map(|token| bins.cell(*token)) {
        counts[cell.gap][cell.margin] += 1;
    }
    counts
}

fn simultaneous_bound(counts: &[Vec<u64>], delta: f64) -> Vec<Vec<f64>> {
    let row = |row: &Vec<u64>| {
        let total = row.iter().sum();
        row.iter()
            .map(|count| clopper_pearson_upper(*count, total, delta))
            .collect()
    };
    counts.iter().map(row).collect()
}

fn density(counts: &[Vec<u64>], honest_bound: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let row = |(counts, bounds): (&Vec<u64>, &Vec<f64>)| {
        let honest_mass: f64 = bounds.iter().sum();
        let seen: u64 = counts.iter().sum();
        let total = seen as f64 + HONEST_PRIOR + CELL_PRIOR * counts.len() as f64;
        counts
            .iter()
            .zip(bounds)
            .map(|(count, bound)| {
                (*count as f64 + HONEST_PRIOR * bound / honest_mass + CELL_PRIOR) / total
            })
            .collect()
    };
    counts.iter().zip(honest_bound).map(row).collect()
}
