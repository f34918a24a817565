//! A subnet and its neurons as clients show them.

use alloc::vec::Vec;
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;
use sp_runtime::AccountId32;

use super::{neurons::NeuronInfoLite, subnets::compact};
use crate::{fixed::I96F32, subtensor::*};

/// A subnet and its neurons, the latter in vectors by UID. Amounts are in rao, shares out of 65535. What this chain does
/// not have (emission by price, dividends of root) reads zero.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[allow(missing_docs)]
pub struct Metagraph {
    pub netuid: Compact<u16>,
    pub name: Vec<Compact<u8>>,
    pub symbol: Vec<Compact<u8>>,
    pub identity: Option<SubnetIdentityV3>,
    pub network_registered_at: Compact<u64>,
    pub owner_hotkey: AccountId32,
    pub owner_coldkey: AccountId32,
    pub block: Compact<u64>,
    pub tempo: Compact<u16>,
    pub last_step: Compact<u64>,
    pub blocks_since_last_step: Compact<u64>,
    pub subnet_emission: Compact<u64>,
    pub alpha_in: Compact<u64>,
    pub alpha_out: Compact<u64>,
    pub tao_in: Compact<u64>,
    pub alpha_out_emission: Compact<u64>,
    pub alpha_in_emission: Compact<u64>,
    pub tao_in_emission: Compact<u64>,
    pub pending_alpha_emission: Compact<u64>,
    pub pending_root_emission: Compact<u64>,
    pub subnet_volume: Compact<u128>,
    pub moving_price: I96F32,
    pub rho: Compact<u16>,
    pub kappa: Compact<u16>,
    pub min_allowed_weights: Compact<u16>,
    pub max_weights_limit: Compact<u16>,
    pub weights_version: Compact<u64>,
    pub weights_rate_limit: Compact<u64>,
    pub activity_cutoff: Compact<u16>,
    pub max_validators: Compact<u16>,
    pub num_uids: Compact<u16>,
    pub max_uids: Compact<u16>,
    pub burn: Compact<u64>,
    pub difficulty: Compact<u64>,
    pub registration_allowed: bool,
    pub pow_registration_allowed: bool,
    pub immunity_period: Compact<u16>,
    pub min_difficulty: Compact<u64>,
    pub max_difficulty: Compact<u64>,
    pub min_burn: Compact<u64>,
    pub max_burn: Compact<u64>,
    pub adjustment_alpha: Compact<u64>,
    pub adjustment_interval: Compact<u16>,
    pub target_regs_per_interval: Compact<u16>,
    pub max_regs_per_block: Compact<u16>,
    pub serving_rate_limit: Compact<u64>,
    pub commit_reveal_weights_enabled: bool,
    pub commit_reveal_period: Compact<u64>,
    pub liquid_alpha_enabled: bool,
    pub alpha_high: Compact<u16>,
    pub alpha_low: Compact<u16>,
    pub bonds_moving_avg: Compact<u64>,
    pub hotkeys: Vec<AccountId32>,
    pub coldkeys: Vec<AccountId32>,
    pub identities: Vec<Option<ChainIdentityV2>>,
    pub axons: Vec<AxonInfo>,
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
    pub tao_dividends_per_hotkey: Vec<(AccountId32, Compact<u64>)>,
    pub alpha_dividends_per_hotkey: Vec<(AccountId32, Compact<u64>)>,
}

fn column<V>(neurons: &[NeuronInfoLite], value: impl Fn(&NeuronInfoLite) -> V) -> Vec<V> {
    neurons.iter().map(value).collect()
}

impl<T: Config> Pallet<T> {
    /// Everything about a subnet, if it exists.
    pub fn get_metagraph(netuid: NetUid) -> Option<Metagraph> {
        if !NetworksAdded::<T>::get(netuid) {
            return None;
        }
        let n = SubnetworkN::<T>::get(netuid);
        let neurons = Self::get_neurons_lite(netuid);
        let hotkeys = column(&neurons, |neuron| neuron.hotkey.clone());
        let stake = Self::stake_columns(netuid, &hotkeys);
        let schedule = Self::schedule(netuid);
        let pending = PendingServerEmission::<T>::get(netuid)
            .saturating_add(PendingValidatorEmission::<T>::get(netuid));
        let activity_cutoff = u16::try_from(Self::activity_cutoff(netuid)).unwrap_or(u16::MAX);
        let (alpha_low, alpha_high) = AlphaValues::<T>::get(netuid);
        Some(Metagraph {
            netuid: Compact(netuid),
            name: compact(Self::subnet_name(netuid)),
            symbol: compact(TokenSymbol::<T>::get(netuid)),
            identity: SubnetIdentitiesV3::<T>::get(netuid),
            network_registered_at: Compact(NetworkRegisteredAt::<T>::get(netuid)),
            owner_hotkey: SubnetOwnerHotkey::<T>::get(netuid),
            owner_coldkey: SubnetOwner::<T>::get(netuid),
            block: Compact(Self::current_block()),
            tempo: Compact(schedule.tempo),
            last_step: Compact(LastMechansimStepBlock::<T>::get(netuid)),
            blocks_since_last_step: Compact(schedule.blocks_since_last_step),
            subnet_emission: Compact(0),
            alpha_in: Compact(0),
            alpha_out: Compact(SubnetAlphaOut::<T>::get(netuid)),
            tao_in: Compact(SubnetTAO::<T>::get(netuid)),
            alpha_out_emission: Compact(SubnetAlphaOutEmission::<T>::get(netuid)),
            alpha_in_emission: Compact(0),
            tao_in_emission: Compact(SubnetTaoInEmission::<T>::get(netuid)),
            pending_alpha_emission: Compact(pending),
            pending_root_emission: Compact(0),
            subnet_volume: Compact(SubnetVolume::<T>::get(netuid)),
            moving_price: I96F32::ONE,
            rho: Compact(Rho::<T>::get(netuid)),
            kappa: Compact(Kappa::<T>::get(netuid)),
            min_allowed_weights: Compact(MinAllowedWeights::<T>::get(netuid)),
            max_weights_limit: Compact(MaxWeightsLimit::<T>::get(netuid)),
            weights_version: Compact(WeightsVersionKey::<T>::get(netuid)),
            weights_rate_limit: Compact(WeightsSetRateLimit::<T>::get(netuid)),
            activity_cutoff: Compact(activity_cutoff),
            max_validators: Compact(MaxAllowedValidators::<T>::get(netuid)),
            num_uids: Compact(n),
            max_uids: Compact(MaxAllowedUids::<T>::get(netuid)),
            burn: Compact(Burn::<T>::get(netuid)),
            difficulty: Compact(Difficulty::<T>::get(netuid)),
            registration_allowed: NetworkRegistrationAllowed::<T>::get(netuid),
            pow_registration_allowed: false,
            immunity_period: Compact(ImmunityPeriod::<T>::get(netuid)),
            min_difficulty: Compact(MinDifficulty::<T>::get(netuid)),
            max_difficulty: Compact(MaxDifficulty::<T>::get(netuid)),
            min_burn: Compact(MinBurn::<T>::get(netuid)),
            max_burn: Compact(MaxBurn::<T>::get(netuid)),
            adjustment_alpha: Compact(AdjustmentAlpha::<T>::get(netuid)),
            adjustment_interval: Compact(AdjustmentInterval::<T>::get(netuid)),
            target_regs_per_interval: Compact(TargetRegistrationsPerInterval::<T>::get(netuid)),
            max_regs_per_block: Compact(MaxRegistrationsPerBlock::<T>::get(netuid)),
            serving_rate_limit: Compact(ServingRateLimit::<T>::get(netuid)),
            commit_reveal_weights_enabled: CommitRevealWeightsEnabled::<T>::get(netuid),
            commit_reveal_period: Compact(RevealPeriodEpochs::<T>::get(netuid)),
            liquid_alpha_enabled: LiquidAlphaOn::<T>::get(netuid),
            alpha_high: Compact(alpha_high),
            alpha_low: Compact(alpha_low),
            bonds_moving_avg: Compact(BondsMovingAverage::<T>::get(netuid)),
            hotkeys,
            coldkeys: column(&neurons, |neuron| neuron.coldkey.clone()),
            identities: column(&neurons, |neuron| IdentitiesV2::<T>::get(&neuron.coldkey)),
            axons: column(&neurons, |neuron| neuron.axon_info.clone()),
            active: column(&neurons, |neuron| neuron.active),
            validator_permit: column(&neurons, |neuron| neuron.validator_permit),
            pruning_score: column(&neurons, |neuron| neuron.pruning_score),
            last_update: column(&neurons, |neuron| neuron.last_update),
            emission: column(&neurons, |neuron| neuron.emission),
            dividends: column(&neurons, |neuron| neuron.dividends),
            incentives: column(&neurons, |neuron| neuron.incentive),
            consensus: column(&neurons, |neuron| neuron.consensus),
            trust: column(&neurons, |neuron| neuron.trust),
            rank: column(&neurons, |neuron| neuron.rank),
            block_at_registration: (0..n)
                .map(|uid| Compact(BlockAtRegistration::<T>::get(netuid, uid)))
                .collect(),
            alpha_stake: stake.alpha,
            tao_stake: stake.tao,
            total_stake: stake.total,
            tao_dividends_per_hotkey: Vec::new(),
            alpha_dividends_per_hotkey: AlphaDividendsPerSubnet::<T>::iter_prefix(netuid)
                .map(|(hotkey, paid)| (hotkey, Compact(paid)))
                .collect(),
        })
    }
}
