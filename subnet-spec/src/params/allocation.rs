//! `[allocation]`: how grades become weights.

use serde::{Deserialize, Serialize};

use super::{SpecError, positive, range, unit};

/// Who is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Curve {
    /// Every class by its worth: splitting a model over siblings gains nothing.
    Proportional,
    /// The classes of the greatest worth only, by their worth. Siblings of one model can fill the places.
    TopK,
    /// A share for the crown, the rest proportional. Siblings of the crowned model share the rest.
    Crown,
}

/// What a class is paid for the goodput of its members together, in units of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoodputWorth {
    /// In proportion: twice the hardware earns twice as much.
    Linear,
    /// The square root up to the reference, and nothing for more: enough is enough.
    Concave,
}

/// How grades become weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllocationParams {
    /// Who is paid.
    pub curve: Curve,
    /// Classes that are paid by the curve `top_k`.
    pub top_k: u32,
    /// What a class is paid for the goodput of its members together.
    pub goodput: GoodputWorth,
    /// Whether what nobody earned goes to the UID of the subnet's owner, whose incentive the chain burns; otherwise it is
    /// shared like the rest, and no weights are set when nobody earned any.
    pub burn_unearned: bool,
    /// Exponent p of the lower bound of quality; at most 4, 2 advised.
    pub exponent: f64,
    /// Standard errors z subtracted from quality.
    pub confidence_z: f64,
    /// Population standard deviation of a per-ask quality, shared by all miners.
    pub pool_sd: f64,
    /// Cap of the effective number of asks, for all alike.
    pub max_effective_asks: f64,
    /// Epochs that a newer, better checkpoint needs no longer beat the margin of an older one: half-life of the margin.
    pub margin_half_life_epochs: f64,
    /// Margin eps by which a later checkpoint must beat an earlier one for the crown, in units of quality.
    pub crown_margin: f64,
    /// Share of the pay that goes to the crown; the rest is proportional.
    pub crown_share: f64,
    /// Probability of one false crown among all challengers of a round, however often the evidence is looked at.
    pub crown_alpha: f64,
    /// Challenges taken per round, first in first out: the M that the error rate is divided by.
    pub crown_slots: u32,
}

impl AllocationParams {
    pub(super) fn check(&self) -> Result<(), SpecError> {
        range("allocation.top_k", self.top_k > 0, "0".into(), "above 0")?;
        range(
            "allocation.exponent",
            self.exponent > 0.0 && self.exponent <= 4.0,
            self.exponent.to_string(),
            "above 0 and at most 4",
        )?;
        range(
            "allocation.confidence_z",
            (0.0..=10.0).contains(&self.confidence_z),
            self.confidence_z.to_string(),
            "between 0 and 10",
        )?;
        unit("allocation.pool_sd", self.pool_sd)?;
        positive("allocation.max_effective_asks", self.max_effective_asks)?;
        positive(
            "allocation.margin_half_life_epochs",
            self.margin_half_life_epochs,
        )?;
        unit("allocation.crown_margin", self.crown_margin)?;
        unit("allocation.crown_share", self.crown_share)?;
        range(
            "allocation.crown_alpha",
            self.crown_alpha > 0.0 && self.crown_alpha <= 0.2,
            self.crown_alpha.to_string(),
            "above 0 and at most 0.2",
        )?;
        range(
            "allocation.crown_slots",
            self.crown_slots > 0,
            "0".into(),
            "above 0",
        )
    }
}
