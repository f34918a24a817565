//! What the chain stores after an epoch.

use alloc::vec::Vec;

/// Outputs of one epoch; every vector has one entry per UID. The `u16` columns are shares times 65535, rounded down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the UID updated its weights recently enough (`Active`).
    pub active: Vec<bool>,
    /// Total stake in rao, before the threshold is applied.
    pub stake: Vec<u64>,
    /// Share of the stake above the threshold (`StakeWeight`).
    pub stake_weight: Vec<u16>,
    /// Weight that a `kappa` share of the stake agrees to (`Consensus`).
    pub consensus: Vec<u16>,
    /// Share of a validator's weights that survives clipping to the consensus (`ValidatorTrust`).
    pub validator_trust: Vec<u16>,
    /// Share of the miners' reward (`Incentive`).
    pub incentive: Vec<u16>,
    /// Share of the validators' reward (`Dividends`).
    pub dividends: Vec<u16>,
    /// Alpha earned as a miner, in rao.
    pub server_emission: Vec<u64>,
    /// Alpha earned as a validator, in rao.
    pub validator_emission: Vec<u64>,
    /// Alpha earned in both roles, in rao (`Emission`). Rounded by itself: it may differ from the sum of the two.
    pub emission: Vec<u64>,
    /// Permits for the next epoch (`ValidatorPermit`).
    pub validator_permit: Vec<bool>,
    /// Bonds for the next epoch, as `(target UID, value)` rows; empty for a UID without a permit (`Bonds`).
    pub bonds: Vec<Vec<(u16, u16)>>,
}
