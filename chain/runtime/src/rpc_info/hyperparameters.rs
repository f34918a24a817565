//! A subnet's hyperparameters, in the three shapes that clients know.

use alloc::vec::Vec;
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;

use crate::{
    fixed::{I32F32, U64F64},
    subtensor::*,
};

/// The first shape.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[allow(missing_docs)]
pub struct SubnetHyperparams {
    pub rho: Compact<u16>,
    pub kappa: Compact<u16>,
    pub immunity_period: Compact<u16>,
    pub min_allowed_weights: Compact<u16>,
    pub max_weights_limit: Compact<u16>,
    pub tempo: Compact<u16>,
    pub min_difficulty: Compact<u64>,
    pub max_difficulty: Compact<u64>,
    pub weights_version: Compact<u64>,
    pub weights_rate_limit: Compact<u64>,
    pub adjustment_interval: Compact<u16>,
    pub activity_cutoff: Compact<u16>,
    pub registration_allowed: bool,
    pub target_regs_per_interval: Compact<u16>,
    pub min_burn: Compact<u64>,
    pub max_burn: Compact<u64>,
    pub bonds_moving_avg: Compact<u64>,
    pub max_regs_per_block: Compact<u16>,
    pub serving_rate_limit: Compact<u64>,
    pub max_validators: Compact<u16>,
    pub adjustment_alpha: Compact<u64>,
    pub difficulty: Compact<u64>,
    pub commit_reveal_period: Compact<u64>,
    pub commit_reveal_weights_enabled: bool,
    pub alpha_high: Compact<u16>,
    pub alpha_low: Compact<u16>,
    pub liquid_alpha_enabled: bool,
}

/// The second shape: the first, and what came later.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[allow(missing_docs)]
pub struct SubnetHyperparamsV2 {
    pub rho: Compact<u16>,
    pub kappa: Compact<u16>,
    pub immunity_period: Compact<u16>,
    pub min_allowed_weights: Compact<u16>,
    pub max_weights_limit: Compact<u16>,
    pub tempo: Compact<u16>,
    pub min_difficulty: Compact<u64>,
    pub max_difficulty: Compact<u64>,
    pub weights_version: Compact<u64>,
    pub weights_rate_limit: Compact<u64>,
    pub adjustment_interval: Compact<u16>,
    pub activity_cutoff: Compact<u16>,
    pub registration_allowed: bool,
    pub target_regs_per_interval: Compact<u16>,
    pub min_burn: Compact<u64>,
    pub max_burn: Compact<u64>,
    pub bonds_moving_avg: Compact<u64>,
    pub max_regs_per_block: Compact<u16>,
    pub serving_rate_limit: Compact<u64>,
    pub max_validators: Compact<u16>,
    pub adjustment_alpha: Compact<u64>,
    pub difficulty: Compact<u64>,
    pub commit_reveal_period: Compact<u64>,
    pub commit_reveal_weights_enabled: bool,
    pub alpha_high: Compact<u16>,
    pub alpha_low: Compact<u16>,
    pub liquid_alpha_enabled: bool,
    pub alpha_sigmoid_steepness: I32F32,
    pub yuma_version: Compact<u16>,
    pub subnet_is_active: bool,
    pub transfers_enabled: bool,
    pub bonds_reset_enabled: bool,
    pub user_liquidity_enabled: bool,
}

/// A hyperparameter in the third shape, which can grow.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct HyperparamEntry {
    /// Its name.
    pub name: Vec<u8>,
    /// Its value.
    pub value: HyperparamValue,
}

/// The value of a hyperparameter.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[allow(missing_docs)]
pub enum HyperparamValue {
    Bool(bool),
    U16(Compact<u16>),
    U32(Compact<u32>),
    U64(Compact<u64>),
    U128(Compact<u128>),
    /// An amount in rao.
    TaoBalance(Compact<u64>),
    I32F32(I32F32),
    U64F64(U64F64),
}

impl<T: Config> Pallet<T> {
    /// Blocks without an update after which a neuron is inactive (`get_activity_cutoff_blocks`).
    pub(crate) fn activity_cutoff(netuid: NetUid) -> u64 {
        let factor = u64::from(ActivityCutoffFactorMilli::<T>::get(netuid));
        (factor * u64::from(Tempo::<T>::get(netuid)) / 1_000).max(1)
    }

    /// The hyperparameters in the first shape, if the subnet exists.
    pub fn get_subnet_hyperparams(netuid: NetUid) -> Option<SubnetHyperparams> {
        let all = Self::get_subnet_hyperparams_v2(netuid)?;
        Some(SubnetHyperparams {
            rho: all.rho,
            kappa: all.kappa,
            immunity_period: all.immunity_period,
            min_allowed_weights: all.min_allowed_weights,
            max_weights_limit: all.max_weights_limit,
            tempo: all.tempo,
            min_difficulty: all.min_difficulty,
            max_difficulty: all.max_difficulty,
            weights_version: all.weights_version,
            weights_rate_limit: all.weights_rate_limit,
            adjustment_interval: all.adjustment_interval,
            activity_cutoff: all.activity_cutoff,
            registration_allowed: all.registration_allowed,
            target_regs_per_interval: all.target_regs_per_interval,
            min_burn: all.min_burn,
            max_burn: all.max_burn,
            bonds_moving_avg: all.bonds_moving_avg,
            max_regs_per_block: all.max_regs_per_block,
            serving_rate_limit: all.serving_rate_limit,
            max_validators: all.max_validators,
            adjustment_alpha: all.adjustment_alpha,
            difficulty: all.difficulty,
            commit_reveal_period: all.commit_reveal_period,
            commit_reveal_weights_enabled: all.commit_reveal_weights_enabled,
            alpha_high: all.alpha_high,
            alpha_low: all.alpha_low,
            liquid_alpha_enabled: all.liquid_alpha_enabled,
        })
    }

    /// The hyperparameters in the second shape, if the subnet exists.
    pub fn get_subnet_hyperparams_v2(netuid: NetUid) -> Option<SubnetHyperparamsV2> {
        if !NetworksAdded::<T>::get(netuid) {
            return None;
        }
        let (alpha_low, alpha_high) = AlphaValues::<T>::get(netuid);
        let cutoff = u16::try_from(Self::activity_cutoff(netuid)).unwrap_or(u16::MAX);
        let steepness = AlphaSigmoidSteepness::<T>::get(netuid);
        Some(SubnetHyperparamsV2 {
            rho: Compact(Rho::<T>::get(netuid)),
            kappa: Compact(Kappa::<T>::get(netuid)),
            immunity_period: Compact(ImmunityPeriod::<T>::get(netuid)),
            min_allowed_weights: Compact(MinAllowedWeights::<T>::get(netuid)),
            max_weights_limit: Compact(MaxWeightsLimit::<T>::get(netuid)),
            tempo: Compact(Tempo::<T>::get(netuid)),
            min_difficulty: Compact(MinDifficulty::<T>::get(netuid)),
            max_difficulty: Compact(MaxDifficulty::<T>::get(netuid)),
            weights_version: Compact(WeightsVersionKey::<T>::get(netuid)),
            weights_rate_limit: Compact(WeightsSetRateLimit::<T>::get(netuid)),
            adjustment_interval: Compact(AdjustmentInterval::<T>::get(netuid)),
            activity_cutoff: Compact(cutoff),
            registration_allowed: NetworkRegistrationAllowed::<T>::get(netuid),
            target_regs_per_interval: Compact(TargetRegistrationsPerInterval::<T>::get(netuid)),
            min_burn: Compact(MinBurn::<T>::get(netuid)),
            max_burn: Compact(MaxBurn::<T>::get(netuid)),
            bonds_moving_avg: Compact(BondsMovingAverage::<T>::get(netuid)),
            max_regs_per_block: Compact(MaxRegistrationsPerBlock::<T>::get(netuid)),
            serving_rate_limit: Compact(ServingRateLimit::<T>::get(netuid)),
            max_validators: Compact(MaxAllowedValidators::<T>::get(netuid)),
            adjustment_alpha: Compact(AdjustmentAlpha::<T>::get(netuid)),
            difficulty: Compact(Difficulty::<T>::get(netuid)),
            commit_reveal_period: Compact(RevealPeriodEpochs::<T>::get(netuid)),
            commit_reveal_weights_enabled: CommitRevealWeightsEnabled::<T>::get(netuid),
            alpha_high: Compact(alpha_high),
            alpha_low: Compact(alpha_low),
            liquid_alpha_enabled: LiquidAlphaOn::<T>::get(netuid),
            alpha_sigmoid_steepness: I32F32::from_int(steepness),
            yuma_version: Compact(if Yuma3On::<T>::get(netuid) { 3 } else { 2 }),
            subnet_is_active: SubtokenEnabled::<T>::get(netuid),
            transfers_enabled: TransferToggle::<T>::get(netuid),
            bonds_reset_enabled: BondsResetOn::<T>::get(netuid),
            user_liquidity_enabled: false,
        })
    }

    /// The hyperparameters in the third shape, if the subnet exists.
    pub fn get_subnet_hyperparams_v3(netuid: NetUid) -> Option<Vec<HyperparamEntry>> {
        use HyperparamValue::{Bool, I32F32, TaoBalance, U16, U32, U64, U64F64};
        let all = Self::get_subnet_hyperparams_v2(netuid)?;
        let entries = [
            ("kappa", U16(all.kappa)),
            ("immunity_period", U16(all.immunity_period)),
            ("min_allowed_weights", U16(all.min_allowed_weights)),
            ("max_weights_limit", U16(all.max_weights_limit)),
            ("tempo", U16(all.tempo)),
            ("weights_version", U64(all.weights_version)),
            ("weights_rate_limit", U64(all.weights_rate_limit)),
            (
                "activity_cutoff",
                U64(Compact(Self::activity_cutoff(netuid))),
            ),
            (
                "activity_cutoff_factor",
                U32(Compact(ActivityCutoffFactorMilli::<T>::get(netuid))),
            ),
            ("registration_allowed", Bool(all.registration_allowed)),
            (
                "target_regs_per_interval",
                U16(all.target_regs_per_interval),
            ),
            ("min_burn", TaoBalance(all.min_burn)),
            ("max_burn", TaoBalance(all.max_burn)),
            (
                "burn_half_life",
                U16(Compact(BurnHalfLife::<T>::get(netuid))),
            ),
            (
                "burn_increase_mult",
                U64F64(BurnIncreaseMult::<T>::get(netuid)),
            ),
            ("bonds_moving_avg", U64(all.bonds_moving_avg)),
            ("max_regs_per_block", U16(all.max_regs_per_block)),
            ("serving_rate_limit", U64(all.serving_rate_limit)),
            ("max_validators", U16(all.max_validators)),
            ("commit_reveal_period", U64(all.commit_reveal_period)),
            (
                "commit_reveal_weights_enabled",
                Bool(all.commit_reveal_weights_enabled),
            ),
            ("alpha_high", U16(all.alpha_high)),
            ("alpha_low", U16(all.alpha_low)),
            ("liquid_alpha_enabled", Bool(all.liquid_alpha_enabled)),
            (
                "alpha_sigmoid_steepness",
                I32F32(all.alpha_sigmoid_steepness),
            ),
            ("yuma_version", U16(all.yuma_version)),
            ("subnet_is_active", Bool(all.subnet_is_active)),
            ("transfers_enabled", Bool(all.transfers_enabled)),
            ("bonds_reset_enabled", Bool(all.bonds_reset_enabled)),
            ("user_liquidity_enabled", Bool(all.user_liquidity_enabled)),
            ("owner_cut_enabled", Bool(OwnerCutEnabled::<T>::get(netuid))),
            (
                "owner_cut_auto_lock_enabled",
                Bool(OwnerCutAutoLockEnabled::<T>::get(netuid)),
            ),
            (
                "min_childkey_take",
                U16(Compact(Self::least_childkey_take(netuid))),
            ),
        ];
        let entry = |(name, value): (&str, HyperparamValue)| HyperparamEntry {
            name: name.as_bytes().to_vec(),
            value,
        };
        Some(entries.into_iter().map(entry).collect())
    }
}
