//! Subnets as clients list them.

use alloc::vec::Vec;
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;
use sp_runtime::AccountId32;

use crate::{fixed::I96F32, subtensor::*};

/// A subnet, in the first shape.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[allow(missing_docs)]
pub struct SubnetInfo {
    pub netuid: Compact<u16>,
    pub rho: Compact<u16>,
    pub kappa: Compact<u16>,
    pub difficulty: Compact<u64>,
    pub immunity_period: Compact<u16>,
    pub max_allowed_validators: Compact<u16>,
    pub min_allowed_weights: Compact<u16>,
    pub max_weights_limit: Compact<u16>,
    pub scaling_law_power: Compact<u16>,
    pub subnetwork_n: Compact<u16>,
    pub max_allowed_uids: Compact<u16>,
    pub blocks_since_last_step: Compact<u64>,
    pub tempo: Compact<u16>,
    pub network_modality: Compact<u16>,
    pub network_connect: Vec<[u16; 2]>,
    pub emission_values: Compact<u64>,
    pub burn: Compact<u64>,
    pub owner: AccountId32,
}

/// A subnet, in the second shape: the first, and how it presents itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[allow(missing_docs)]
pub struct SubnetInfov2 {
    pub netuid: Compact<u16>,
    pub rho: Compact<u16>,
    pub kappa: Compact<u16>,
    pub difficulty: Compact<u64>,
    pub immunity_period: Compact<u16>,
    pub max_allowed_validators: Compact<u16>,
    pub min_allowed_weights: Compact<u16>,
    pub max_weights_limit: Compact<u16>,
    pub scaling_law_power: Compact<u16>,
    pub subnetwork_n: Compact<u16>,
    pub max_allowed_uids: Compact<u16>,
    pub blocks_since_last_step: Compact<u64>,
    pub tempo: Compact<u16>,
    pub network_modality: Compact<u16>,
    pub network_connect: Vec<[u16; 2]>,
    pub emission_value: Compact<u64>,
    pub burn: Compact<u64>,
    pub owner: AccountId32,
    pub identity: Option<SubnetIdentityV3>,
}

/// A subnet's market. An alpha is worth one TAO here, and nothing is in a pool of alpha.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[allow(missing_docs)]
pub struct DynamicInfo {
    pub netuid: Compact<u16>,
    pub owner_hotkey: AccountId32,
    pub owner_coldkey: AccountId32,
    pub subnet_name: Vec<Compact<u8>>,
    pub token_symbol: Vec<Compact<u8>>,
    pub tempo: Compact<u16>,
    pub last_step: Compact<u64>,
    pub blocks_since_last_step: Compact<u64>,
    pub emission: Compact<u64>,
    pub alpha_in: Compact<u64>,
    pub alpha_out: Compact<u64>,
    pub tao_in: Compact<u64>,
    pub alpha_out_emission: Compact<u64>,
    pub alpha_in_emission: Compact<u64>,
    pub tao_in_emission: Compact<u64>,
    pub pending_alpha_emission: Compact<u64>,
    pub pending_root_emission: Compact<u64>,
    pub subnet_volume: Compact<u128>,
    pub network_registered_at: Compact<u64>,
    pub subnet_identity: Option<SubnetIdentityV3>,
    pub moving_price: I96F32,
}

/// A subnet's neurons in vectors by UID. Amounts are in rao, shares out of 65535.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[allow(missing_docs)]
pub struct SubnetState {
    pub netuid: Compact<u16>,
    pub hotkeys: Vec<AccountId32>,
    pub coldkeys: Vec<AccountId32>,
    pub active: Vec<bool>,
    pub validator_permit: Vec<bool>,
    pub pruning_score: Vec<Compact<u16>>,
    pub last_update: Vec<Compact<u64>>,
    pub emission: Vec<Compact<u64>>,
    pub dividends: Vec<Compact<u16>>,
    pub incentives: Vec<Compact<u16>>,
    pub consensus: Vec<Compact<u16>>,
    pub trust: Vec<Compact<u16>>,
    pub rank: Vec<Compact<u16>>,
    pub block_at_registration: Vec<Compact<u64>>,
    pub alpha_stake: Vec<Compact<u64>>,
    pub tao_stake: Vec<Compact<u64>>,
    pub total_stake: Vec<Compact<u64>>,
    pub emission_history: Vec<Vec<Compact<u64>>>,
}

pub(super) fn compact<V>(values: Vec<V>) -> Vec<Compact<V>> {
    values.into_iter().map(Compact).collect()
}

impl<T: Config> Pallet<T> {
    /// A subnet in the first shape, if it exists.
    pub fn get_subnet_info(netuid: NetUid) -> Option<SubnetInfo> {
        let all = Self::get_subnet_info_v2(netuid)?;
        Some(SubnetInfo {
            netuid: all.netuid,
            rho: all.rho,
            kappa: all.kappa,
            difficulty: all.difficulty,
            immunity_period: all.immunity_period,
            max_allowed_validators: all.max_allowed_validators,
            min_allowed_weights: all.min_allowed_weights,
            max_weights_limit: all.max_weights_limit,
            scaling_law_power: all.scaling_law_power,
            subnetwork_n: all.subnetwork_n,
            max_allowed_uids: all.max_allowed_uids,
            blocks_since_last_step: all.blocks_since_last_step,
            tempo: all.tempo,
            network_modality: all.network_modality,
            network_connect: all.network_connect,
            emission_values: all.emission_value,
            burn: all.burn,
            owner: all.owner,
        })
    }

    /// A subnet in the second shape, if it exists.
    pub fn get_subnet_info_v2(netuid: NetUid) -> Option<SubnetInfov2> {
        let set = Self::get_subnet_hyperparams_v2(netuid)?;
        Some(SubnetInfov2 {
            netuid: Compact(netuid),
            rho: set.rho,
            kappa: set.kappa,
            difficulty: set.difficulty,
            immunity_period: set.immunity_period,
            max_allowed_validators: set.max_validators,
            min_allowed_weights: set.min_allowed_weights,
            max_weights_limit: set.max_weights_limit,
            scaling_law_power: Compact(50),
            subnetwork_n: Compact(SubnetworkN::<T>::get(netuid)),
            max_allowed_uids: Compact(MaxAllowedUids::<T>::get(netuid)),
            blocks_since_last_step: Compact(BlocksSinceLastStep::<T>::get(netuid)),
            tempo: set.tempo,
            network_modality: Compact(0),
            network_connect: Vec::new(),
            emission_value: Compact(0),
            burn: Compact(Burn::<T>::get(netuid)),
            owner: SubnetOwner::<T>::get(netuid),
            identity: SubnetIdentitiesV3::<T>::get(netuid),
        })
    }

    /// A subnet's market, if the subnet exists.
    pub fn get_dynamic_info(netuid: NetUid) -> Option<DynamicInfo> {
        if !NetworksAdded::<T>::get(netuid) {
            return None;
        }
        let last_step = LastMechansimStepBlock::<T>::get(netuid);
        let since = Self::current_block().saturating_sub(last_step);
        let pending = PendingServerEmission::<T>::get(netuid)
            .saturating_add(PendingValidatorEmission::<T>::get(netuid));
        Some(DynamicInfo {
            netuid: Compact(netuid),
            owner_hotkey: SubnetOwnerHotkey::<T>::get(netuid),
            owner_coldkey: SubnetOwner::<T>::get(netuid),
            subnet_name: compact(Self::subnet_name(netuid)),
            token_symbol: compact(TokenSymbol::<T>::get(netuid)),
            tempo: Compact(Tempo::<T>::get(netuid)),
            last_step: Compact(last_step),
            blocks_since_last_step: Compact(since),
            emission: Compact(0),
            alpha_in: Compact(SubnetAlphaIn::<T>::get(netuid)),
            alpha_out: Compact(SubnetAlphaOut::<T>::get(netuid)),
            tao_in: Compact(SubnetTAO::<T>::get(netuid)),
            alpha_out_emission: Compact(SubnetAlphaOutEmission::<T>::get(netuid)),
            alpha_in_emission: Compact(SubnetAlphaInEmission::<T>::get(netuid)),
            tao_in_emission: Compact(SubnetTaoInEmission::<T>::get(netuid)),
            pending_alpha_emission: Compact(pending),
            pending_root_emission: Compact(0),
            subnet_volume: Compact(SubnetVolume::<T>::get(netuid)),
            network_registered_at: Compact(NetworkRegisteredAt::<T>::get(netuid)),
            subnet_identity: SubnetIdentitiesV3::<T>::get(netuid),
            moving_price: SubnetMovingPrice::<T>::get(netuid),
        })
    }

    /// A subnet's neurons in vectors, if the subnet exists.
    pub fn get_subnet_state(netuid: NetUid) -> Option<SubnetState> {
        if !NetworksAdded::<T>::get(netuid) {
            return None;
        }
        let uids = 0..SubnetworkN::<T>::get(netuid);
        let hotkeys: Vec<AccountId32> = uids
            .clone()
            .map(|uid| Keys::<T>::get(netuid, uid))
            .collect();
        let stake = Self::stake_columns(netuid, &hotkeys);
        Some(SubnetState {
            netuid: Compact(netuid),
            coldkeys: hotkeys.iter().map(Owner::<T>::get).collect(),
            hotkeys,
            active: Active::<T>::get(netuid),
            validator_permit: ValidatorPermit::<T>::get(netuid),
            pruning_score: Vec::new(),
            last_update: compact(LastUpdate::<T>::get(netuid)),
            emission: compact(Emission::<T>::get(netuid)),
            dividends: compact(Dividends::<T>::get(netuid)),
            incentives: compact(Incentive::<T>::get(netuid)),
            consensus: compact(Consensus::<T>::get(netuid)),
            trust: Vec::new(),
            rank: Vec::new(),
            block_at_registration: uids
                .map(|uid| Compact(BlockAtRegistration::<T>::get(netuid, uid)))
                .collect(),
            alpha_stake: stake.alpha,
            tao_stake: stake.tao,
            total_stake: stake.total,
            emission_history: Vec::new(),
        })
    }

    /// What a subnet calls itself: nothing, if it does not present itself.
    pub(crate) fn subnet_name(netuid: NetUid) -> Vec<u8> {
        match netuid {
            0 => b"root".to_vec(),
            _ => SubnetIdentitiesV3::<T>::get(netuid)
                .map(|identity| identity.subnet_name)
                .unwrap_or_default(),
        }
    }

    /// What each hotkey weighs on the subnet, in rao.
    pub(super) fn stake_columns(netuid: NetUid, hotkeys: &[AccountId32]) -> StakeColumns {
        let each = |stake: &dyn Fn(&AccountId32) -> u64| -> Vec<Compact<u64>> {
            hotkeys
                .iter()
                .map(|hotkey| Compact(stake(hotkey)))
                .collect()
        };
        StakeColumns {
            alpha: each(&|hotkey| Self::inherited_stake(hotkey, netuid, netuid)),
            tao: each(&|hotkey| Self::inherited_stake(hotkey, netuid, 0)),
            total: each(&|hotkey| Self::stake_weight(hotkey, netuid)),
        }
    }
}

/// Stake by UID, in rao: on the subnet, on root, and both as they weigh.
pub(super) struct StakeColumns {
    pub(super) alpha: Vec<Compact<u64>>,
    pub(super) tao: Vec<Compact<u64>>,
    pub(super) total: Vec<Compact<u64>>,
}
