//! The table that turns tokens into evidence, with where it comes from.

use athanor_spec::Digest;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Bins, TokenObservation};

/// Bound u0 on honest tokens, alternatives f1, and the cap and normaliser of a request's e-value.
///
/// A row of a table belongs to one gap cell; its entries are probabilities of the margin cells given that gap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Where the numbers come from and for which population they hold.
    pub provenance: Provenance,
    /// The cells.
    pub bins: Bins,
    /// Simultaneous upper confidence bounds u0(margin | gap) of honest tokens, the largest over the honest groups.
    /// Rows add up to more than 1 on purpose: dividing by an upper bound keeps the mean of the ratio at most 1.
    pub honest_bound: Vec<Vec<f64>>,
    /// What forgers look like.
    pub alternatives: Vec<Alternative>,
    /// Cap C of a request's raw e-value, at most a tenth of the held-out requests of a group.
    pub cap: f64,
    /// Normaliser b: upper confidence bound of the mean capped e-value of held-out honest requests, at least 1.
    pub normaliser: f64,
    /// Lowest sampling temperature, in thousandths, that the bounds hold for: honest noise grows as temperature falls.
    #[serde(default)]
    pub lowest_temperature_milli: u16,
}

/// One kind of forger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alternative {
    /// Stable name, such as `ignored_seed`.
    pub name: String,
    /// Weight pi in the mixture over alternatives; all weights add up to 1.
    pub weight: f64,
    /// Probabilities f1(margin | gap); every row adds up to 1 and has no zero.
    pub density: Vec<Vec<f64>>,
}

/// Where a calibration comes from: what a stranger needs to repeat it, and the error rates it was made for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// What produced the observations: models, backends, precision.
    pub source: String,
    /// The command that repeats it.
    pub command: String,
    /// The processor that it ran on, and the instructions that its kernels chose by.
    #[serde(default)]
    pub machine: String,
    /// Digests of the models, teacher first, in hexadecimal.
    #[serde(default)]
    pub models: Vec<String>,
    /// Seed of the prompts and of the draws.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Probability that any honest bound of the table, or the normaliser, is too low.
    pub delta: f64,
    /// The honest groups: backend pairs, batch sizes, context lengths, temperatures.
    pub honest: Vec<GroupCount>,
    /// The forgers.
    pub forgers: Vec<GroupCount>,
}

/// How much was observed of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupCount {
    /// Name of the group.
    pub name: String,
    /// Independent requests.
    pub requests: u64,
    /// Tokens in them.
    pub tokens: u64,
}

/// Why a calibration cannot be used.
#[derive(Debug, Error)]
pub enum CalibrationError {
    /// Not JSON, or a key is missing, unknown or of the wrong type.
    #[error("not a calibration: {0}")]
    Parse(#[from] serde_json::Error),
    /// The cells do not start at 0 or do not ascend.
    #[error("the cells of the calibration do not start at 0 or do not ascend")]
    Bins,
    /// A table has not one row per gap cell and one probability per margin cell.
    #[error("table `{table}` of the calibration does not fit its cells, or holds no probabilities")]
    Table {
        /// `honest_bound`, or the name of an alternative.
        table: String,
    },
    /// The weights of the alternatives do not add up to 1.
    #[error("the weights of the calibration's alternatives add up to {sum}, not to 1")]
    Weights {
        /// Their sum.
        sum: f64,
    },
    /// The cap is above what a tenth of the held-out requests, or one request alone, may say, or one of the two is below 1
    /// or not a number.
    #[error(
        "the calibration's cap ({cap}) and normaliser ({normaliser}) must both be at least 1, and the cap at most {most}"
    )]
    Scale {
        /// The cap C.
        cap: f64,
        /// The normaliser b.
        normaliser: f64,
        /// The largest cap that the honest requests support.
        most: f64,
    },
}

impl Calibration {
    /// Largest cap C of a request's raw e-value: so that no request alone condemns anybody.
    pub const MAX_CAP: f64 = 1_000.0;
    /// Held-out honest requests per unit of the cap: a mean of n values up to C is known well enough only if C <= n / 10.
    pub const REQUESTS_PER_CAP: f64 = 10.0;

    /// The table that a validator uses when it is given no other: fitted by `athanor-validator calibrate` on the CPU
    /// engine and on students of the bundled teacher; its provenance says which.
    pub fn shipped() -> Self {
        Self::bundled(include_str!("../../data/calibration.json"))
    }

    /// A table fitted on [`crate::synthetic`] logits, for measuring the method apart from any engine.
    pub fn synthetic() -> Self {
        Self::bundled(include_str!("../../data/synthetic-calibration.json"))
    }

    fn bundled(json: &str) -> Self {
        match Self::from_json(json) {
            Ok(calibration) => calibration,
            Err(error) => {
                unreachable!("a calibration that ships with this crate is invalid: {error}")
            }
        }
    }

    /// Parses and checks a calibration.
    pub fn from_json(text: &str) -> Result<Self, CalibrationError> {
        let calibration: Self = serde_json::from_str(text)?;
        calibration.check()?;
        Ok(calibration)
    }

    /// The calibration as JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// Names the table: blake3 of its compact JSON.
    pub fn digest(&self) -> Digest {
        // Every field is a JSON value, so this cannot fail.
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// ln of the raw e-value of a request: the mixture over alternatives of the product over tokens of f1 / u0.
    /// 0 for an answer without evidence. Not capped: for measuring power; pay and verdicts use
    /// [`Self::request_e_value`].
    pub fn log_e_value(&self, tokens: &[TokenObservation]) -> f64 {
        let mut products = self.products();
        tokens.iter().for_each(|token| products.push(*token));
        products.log_e_value()
    }

    /// Whether the bounds hold for answers sampled at this temperature, in thousandths. Answers at temperature 0 are the
    /// same whatever the seed, and say nothing.
    pub fn covers(&self, temperature_milli: u16) -> bool {
        temperature_milli > 0 && temperature_milli >= self.lowest_temperature_milli
    }

    /// The evidence of a request, to be extended token by token.
    pub fn products(&self) -> Products<'_> {
        let logs = self.alternatives.iter().map(|a| a.weight.ln()).collect();
        Products {
            calibration: self,
            logs,
        }
    }

    /// The normalised e-value e' = min(e, C) / b of a request: its mean over honest requests is at most 1.
    ///
    /// Exactly 1 for an empty answer, which says nothing. Leave requests out whose temperature the table does not cover
    /// ([`Self::covers`]).
    pub fn request_e_value(&self, tokens: &[TokenObservation]) -> f64 {
        if tokens.is_empty() {
            return 1.0;
        }
        self.log_e_value(tokens).min(self.cap.ln()).exp() / self.normaliser
    }

    pub(super) fn check(&self) -> Result<(), CalibrationError> {
        if !self.bins.is_valid() {
            return Err(CalibrationError::Bins);
        }
        let fits = |table: &[Vec<f64>]| {
            table.len() == self.bins.gap.len()
                && table.iter().all(|row| {
                    row.len() == self.bins.margin.len() && row.iter().all(|p| *p > 0.0 && *p <= 1.0)
                })
        };
        let sums_to_one = |row: &Vec<f64>| (row.iter().sum::<f64>() - 1.0).abs() < 1e-6;
        if !fits(&self.honest_bound) {
            return Err(CalibrationError::Table {
                table: "honest_bound".to_owned(),
            });
        }
        for alternative in &self.alternatives {
            if !fits(&alternative.density) || !alternative.density.iter().all(sums_to_one) {
                return Err(CalibrationError::Table {
                    table: alternative.name.clone(),
                });
            }
        }
        let sum: f64 = self.alternatives.iter().map(|a| a.weight).sum();
        if (sum - 1.0).abs() > 1e-6 || self.alternatives.iter().any(|a| a.weight <= 0.0) {
            return Err(CalibrationError::Weights { sum });
        }
        let (cap, normaliser) = (self.cap, self.normaliser);
        let at_least_one = |x: f64| x.is_finite() && x >= 1.0;
        // Half of a group's requests were held out.
        let held_out = self.provenance.honest.iter().map(|g| g.requests / 2).min();
        let most = (held_out.unwrap_or_default() as f64 / Self::REQUESTS_PER_CAP)
            .clamp(1.0, Self::MAX_CAP);
        if !at_least_one(cap) || !at_least_one(normaliser) || cap > most {
            return Err(CalibrationError::Scale {
                cap,
                normaliser,
                most,
            });
        }
        Ok(())
    }
}

/// Running products over tokens, one per alternative.
#[derive(Clone, Debug)]
pub struct Products<'a> {
    calibration: &'a Calibration,
    logs: Vec<f64>,
}

impl Products<'_> {
    /// Takes the request's next token; one whose replay gave no number is no evidence.
    pub fn push(&mut self, token: TokenObservation) {
        let Some(cell) = self.calibration.bins.cell(token) else {
            return;
        };
        let bound = self.calibration.honest_bound[cell.gap][cell.margin].ln();
        for (log, alternative) in self.logs.iter_mut().zip(&self.calibration.alternatives) {
            *log += alternative.density[cell.gap][cell.margin].ln() - bound;
        }
    }

    /// ln of the mixture so far (see [`Calibration::log_e_value`]).
    pub fn log_e_value(&self) -> f64 {
        log_sum_exp(&self.logs)
    }
}

/// ln of the sum of the exponentials, without overflow.
pub(crate) fn log_sum_exp(logs: &[f64]) -> f64 {
    let max = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY {
        return max;
    }
    max + logs.iter().map(|log| (log - max).exp()).sum::<f64>().ln()
}
