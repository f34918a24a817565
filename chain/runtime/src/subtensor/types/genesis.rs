//! The shape of a genesis.

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use sp_runtime::AccountId32;

use super::NetUid;

/// A subnet of the genesis block. Fields are named after the storage items that they fill.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubnetGenesis {
    /// Number of the subnet, at least 1.
    pub netuid: NetUid,
    /// `SubnetOwner`.
    pub owner_coldkey: AccountId32,
    /// `SubnetOwnerHotkey`.
    pub owner_hotkey: Option<AccountId32>,
    /// `Tempo`.
    pub tempo: u16,
    /// `SubnetAlphaOutEmission` and `SubnetTaoInEmission`.
    pub emission_per_block: u64,
    /// `WeightsSetRateLimit`.
    pub weights_rate_limit: u64,
    /// `ServingRateLimit`.
    pub serving_rate_limit: u64,
    /// `Burn`.
    pub burn: u64,
    /// `MinBurn`.
    pub min_burn: u64,
    /// `MaxBurn`.
    pub max_burn: u64,
    /// `ImmunityPeriod`.
    pub immunity_period: u16,
    /// `MaxAllowedUids`.
    pub max_allowed_uids: u16,
    /// `MaxAllowedValidators`.
    pub max_allowed_validators: u16,
    /// `MinAllowedWeights`.
    pub min_allowed_weights: u16,
    /// `WeightsVersionKey`.
    pub weights_version_key: u64,
    /// `ActivityCutoffFactorMilli`.
    pub activity_cutoff_factor_milli: u32,
    /// `Kappa`.
    pub kappa: u16,
    /// `BondsMovingAverage`.
    pub bonds_moving_average: u64,
    /// `BondsPenalty`.
    pub bonds_penalty: u16,
    /// `Yuma3On`.
    pub yuma3: bool,
    /// `LiquidAlphaOn`.
    pub liquid_alpha: bool,
    /// `CommitRevealWeightsEnabled`.
    #[serde(default)]
    pub commit_reveal: bool,
    /// `RevealPeriodEpochs`.
    #[serde(default = "one")]
    pub reveal_period: u64,
    /// Neurons in the order of their UIDs.
    pub neurons: Vec<NeuronGenesis>,
}

impl SubnetGenesis {
    /// A subnet with the chain's own defaults for Yuma, a tempo and rate limits fit for a chain that runs on one
    /// machine, one TAO of emission per block and weights that are set in the open.
    pub fn new(netuid: NetUid, owner_coldkey: impl Into<AccountId32>) -> Self {
        Self {
            netuid,
            owner_coldkey: owner_coldkey.into(),
            owner_hotkey: None,
            tempo: 20,
            emission_per_block: 1_000_000_000,
            weights_rate_limit: 1,
            serving_rate_limit: 1,
            burn: 100_000_000,
            min_burn: 500_000,
            max_burn: 100_000_000_000,
            immunity_period: 4_096,
            max_allowed_uids: 256,
            max_allowed_validators: 64,
            min_allowed_weights: 1,
            weights_version_key: 0,
            activity_cutoff_factor_milli: 13_889,
            kappa: 32_767,
            bonds_moving_average: 900_000,
            bonds_penalty: u16::MAX,
            yuma3: true,
            liquid_alpha: false,
            commit_reveal: false,
            reveal_period: 1,
            neurons: Vec::new(),
        }
    }
}

/// A neuron of the genesis block.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NeuronGenesis {
    /// Owner of the hotkey and its stake.
    pub coldkey: AccountId32,
    /// The neuron's account.
    pub hotkey: AccountId32,
    /// Alpha in rao staked on the hotkey.
    pub stake: u64,
}

fn one() -> u64 {
    1
}
