//! Add subnets, start them, and know what exists.

use alloc::vec::Vec;
use frame_support::ensure;
use frame_system::pallet_prelude::OriginFor;
use sp_runtime::{AccountId32, DispatchResult, traits::UniqueSaturatedInto};

use super::*;
use crate::fixed::I96F32;

/// What a subnet that was registered by a call mints per block, in rao: Bittensor's block emission.
const DEFAULT_EMISSION_PER_BLOCK: u64 = 1_000_000_000;
/// Most UIDs of a new subnet, as on Bittensor.
const DEFAULT_MAX_UIDS: u16 = 256;

impl<T: Config> Pallet<T> {
    /// Number of the block that is being built.
    pub(crate) fn current_block() -> u64 {
        frame_system::Pallet::<T>::block_number().unique_saturated_into()
    }

    /// Every subnet but root, in ascending order, so that whatever depends on the order does not depend on storage keys.
    pub(crate) fn subnets() -> Vec<NetUid> {
        let mut netuids: Vec<NetUid> = NetworksAdded::<T>::iter()
            .filter_map(|(netuid, added)| (added && netuid != 0).then_some(netuid))
            .collect();
        netuids.sort_unstable();
        netuids
    }

    /// Root, and every subnet in ascending order.
    pub(crate) fn with_root() -> Vec<NetUid> {
        let mut netuids = Vec::from([0]);
        netuids.extend(Self::subnets());
        netuids
    }

    /// Price of the next subnet in rao: twice the last one's, falling by that one over an interval, within its bound.
    pub(crate) fn network_lock_cost() -> u64 {
        let last = NetworkLastLockCost::<T>::get();
        let netuids = Self::subnets();
        let last_block = netuids.iter().map(NetworkRegisteredAt::<T>::get).max();
        let start = match last_block {
            None | Some(0) => last,
            Some(_) => last.saturating_mul(2),
        };
        let elapsed = Self::current_block().saturating_sub(last_block.unwrap_or(0));
        let per_block = last
            .checked_div(NetworkLockReductionInterval::<T>::get())
            .unwrap_or(0);
        start
            .saturating_sub(per_block.saturating_mul(elapsed))
            .max(NetworkMinLockCost::<T>::get())
    }

    /// Adds a subnet for `coldkey` and registers `hotkey` as its first neuron. The price is taken out of the issuance.
    /// When there are as many subnets as may be, one that is no longer immune makes room (`do_register_network`).
    pub(super) fn do_register_network(
        coldkey: &AccountId32,
        hotkey: AccountId32,
        identity: Option<SubnetIdentityV3>,
    ) -> DispatchResult {
        let block = Self::current_block();
        ensure!(
            block >= NetworkRegistrationStartBlock::<T>::get(),
            Error::<T>::SubNetRegistrationDisabled
        );
        let last = LastRateLimitedBlock::<T>::get(RateLimitKey::NetworkLastRegistered);
        ensure!(
            last == 0 || block.saturating_sub(last) >= NetworkRateLimit::<T>::get(),
            Error::<T>::NetworkTxRateLimitExceeded
        );
        ensure!(
            identity.as_ref().is_none_or(SubnetIdentityV3::fits),
            Error::<T>::InvalidIdentity
        );
        let taken = Self::subnets();
        let is_full = taken.len() >= usize::from(SubnetLimit::<T>::get());
        let pruned = is_full.then(Self::network_to_prune).flatten();
        ensure!(!is_full || pruned.is_some(), Error::<T>::SubnetLimitReached);
        let cost = Self::network_lock_cost();
        ensure!(
            Self::can_pay(coldkey, cost),
            Error::<T>::CannotAffordLockCost
        );
        Self::associate(coldkey, &hotkey)?;
        Self::recycle_balance(coldkey, cost)?;
        NetworkLastLockCost::<T>::put(cost);
        LastRateLimitedBlock::<T>::insert(RateLimitKey::NetworkLastRegistered, block);

        let netuid = pruned
            .or_else(|| (1..=NetUid::MAX).find(|netuid| !taken.contains(netuid)))
            .ok_or(Error::<T>::SubnetLimitReached)?;
        if pruned.is_some() {
            Self::do_dissolve_network(netuid)?;
        }
        Self::add_subnet(netuid, coldkey);
        SubnetOwnerHotkey::<T>::insert(netuid, &hotkey);
        SubnetLocked::<T>::insert(netuid, cost);
        SubnetAlphaOutEmission::<T>::insert(netuid, DEFAULT_EMISSION_PER_BLOCK);
        SubnetTaoInEmission::<T>::insert(netuid, DEFAULT_EMISSION_PER_BLOCK);
        let uid = Self::append_neuron(netuid, &hotkey);
        Self::deposit_event(Event::NeuronRegistered(netuid, uid, hotkey));
        if let Some(identity) = identity {
            SubnetIdentitiesV3::<T>::insert(netuid, identity);
            Self::deposit_event(Event::SubnetIdentitySet(netuid));
        }
        Self::deposit_event(Event::NetworkAdded(netuid, 0));
        Ok(())
    }

    /// Starts the emission of a subnet with the next block (`do_start_call`).
    pub(super) fn do_start_call(coldkey: &AccountId32, netuid: NetUid) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            SubnetOwner::<T>::get(netuid) == *coldkey,
            Error::<T>::NotSubnetOwner
        );
        ensure!(
            !FirstEmissionBlockNumber::<T>::contains_key(netuid),
            Error::<T>::FirstEmissionBlockNumberAlreadySet
        );
        let opens =
            NetworkRegisteredAt::<T>::get(netuid).saturating_add(StartCallDelay::<T>::get());
        ensure!(
            Self::current_block() >= opens,
            Error::<T>::NeedWaitingMoreBlocksToStarCall
        );
        let first = Self::current_block().saturating_add(1);
        FirstEmissionBlockNumber::<T>::insert(netuid, first);
        SubtokenEnabled::<T>::insert(netuid, true);
        Self::deposit_event(Event::FirstEmissionBlockNumberSet(netuid, first));
        Ok(())
    }

    /// Creates the entries that every subnet has, so that clients that list a map find it.
    fn add_subnet(netuid: NetUid, owner: &AccountId32) {
        let block = Self::current_block();
        NetworksAdded::<T>::insert(netuid, true);
        TotalNetworks::<T>::mutate(|count| *count = count.saturating_add(1));
        SubnetworkN::<T>::insert(netuid, 0);
        SubnetOwner::<T>::insert(netuid, owner);
        SubnetMechanism::<T>::insert(netuid, 0);
        MechanismCountCurrent::<T>::insert(netuid, 1);
        NetworkRegisteredAt::<T>::insert(netuid, block);
        NetworkRegistrationAllowed::<T>::insert(netuid, true);
        CommitRevealWeightsEnabled::<T>::insert(netuid, false);
        MinAllowedWeights::<T>::insert(netuid, 1);
        MaxAllowedUids::<T>::insert(netuid, DEFAULT_MAX_UIDS);
        Tempo::<T>::insert(netuid, Tempo::<T>::get(netuid));
        Burn::<T>::insert(netuid, Burn::<T>::get(netuid));
        LastEpochBlock::<T>::insert(netuid, block);
        Yuma3On::<T>::insert(netuid, true);
        SubnetMovingPrice::<T>::insert(netuid, I96F32::ONE);
    }

    /// Sets the owner's hotkey of a subnet (`do_set_sn_owner_hotkey`).
    pub fn put_owner_hotkey(
        origin: OriginFor<T>,
        netuid: NetUid,
        hotkey: AccountId32,
    ) -> DispatchResult {
        let kind = TransactionType::SetOwnerHotkey;
        Self::ensure_subnet_owner_or_root(origin, netuid)?;
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            kind.passes::<T>(&hotkey, netuid),
            Error::<T>::TxRateLimitExceeded
        );
        kind.record::<T>(&hotkey, netuid);
        SubnetOwnerHotkey::<T>::insert(netuid, &hotkey);
        Self::deposit_event(Event::SubnetOwnerHotkeySet(netuid, hotkey));
        Ok(())
    }

    /// Builds a subnet of the genesis block. Its neurons pay nothing; who holds stake enough has a permit at once, as
    /// the first epoch would otherwise find nobody who may vote.
    pub(super) fn build_subnet(genesis: &SubnetGenesis) {
        let netuid = genesis.netuid;
        assert!(
            netuid > 0,
            "subnet 0 is the root network, which every genesis has"
        );
        assert!(
            !NetworksAdded::<T>::get(netuid),
            "subnet {netuid} appears twice in the genesis"
        );
        Self::add_subnet(netuid, &genesis.owner_coldkey);
        if let Some(hotkey) = &genesis.owner_hotkey {
            SubnetOwnerHotkey::<T>::insert(netuid, hotkey);
        }
        Tempo::<T>::insert(netuid, genesis.tempo);
        SubnetAlphaOutEmission::<T>::insert(netuid, genesis.emission_per_block);
        SubnetTaoInEmission::<T>::insert(netuid, genesis.emission_per_block);
        WeightsSetRateLimit::<T>::insert(netuid, genesis.weights_rate_limit);
        ServingRateLimit::<T>::insert(netuid, genesis.serving_rate_limit);
        Burn::<T>::insert(netuid, genesis.burn);
        MinBurn::<T>::insert(netuid, genesis.min_burn);
        MaxBurn::<T>::insert(netuid, genesis.max_burn);
        ImmunityPeriod::<T>::insert(netuid, genesis.immunity_period);
        MaxAllowedUids::<T>::insert(netuid, genesis.max_allowed_uids);
        MaxAllowedValidators::<T>::insert(netuid, genesis.max_allowed_validators);
        MinAllowedWeights::<T>::insert(netuid, genesis.min_allowed_weights);
        WeightsVersionKey::<T>::insert(netuid, genesis.weights_version_key);
        ActivityCutoffFactorMilli::<T>::insert(netuid, genesis.activity_cutoff_factor_milli);
        Kappa::<T>::insert(netuid, genesis.kappa);
        BondsMovingAverage::<T>::insert(netuid, genesis.bonds_moving_average);
        BondsPenalty::<T>::insert(netuid, genesis.bonds_penalty);
        Yuma3On::<T>::insert(netuid, genesis.yuma3);
        LiquidAlphaOn::<T>::insert(netuid, genesis.liquid_alpha);
        CommitRevealWeightsEnabled::<T>::insert(netuid, genesis.commit_reveal);
        RevealPeriodEpochs::<T>::insert(netuid, genesis.reveal_period);
        FirstEmissionBlockNumber::<T>::insert(netuid, 1);
        SubtokenEnabled::<T>::insert(netuid, true);

        for neuron in &genesis.neurons {
            let associated = Self::associate(&neuron.coldkey, &neuron.hotkey);
            assert!(
                associated.is_ok(),
                "a hotkey of the genesis belongs to two coldkeys"
            );
            assert!(
                !Uids::<T>::contains_key(netuid, &neuron.hotkey),
                "a hotkey of the genesis is registered twice on subnet {netuid}"
            );
            Self::append_neuron(netuid, &neuron.hotkey);
            Self::issue_stake(netuid, neuron.stake);
            Self::credit_stake(&neuron.hotkey, &neuron.coldkey, netuid, neuron.stake);
        }
        let mut by_stake: Vec<(u64, usize)> = genesis
            .neurons
            .iter()
            .enumerate()
            .filter(|(_, neuron)| neuron.stake > 0 && neuron.stake >= StakeThreshold::<T>::get())
            .map(|(uid, neuron)| (neuron.stake, uid))
            .collect();
        by_stake.sort_unstable_by(|a, b| b.cmp(a));
        ValidatorPermit::<T>::mutate(netuid, |permits| {
            for (_, uid) in by_stake.iter().take(genesis.max_allowed_validators.into()) {
                permits[*uid] = true;
            }
        });
    }
}
