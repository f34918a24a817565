//! Remove subnets: when root says so, or to make room for a new one.
//!
//! Who staked on the subnet gets the TAO behind it, by stake; what the owner paid for it was taken out of the issuance
//! when it was registered and does not come back. Nothing of the subnet stays in storage.

use alloc::{collections::BTreeMap, vec::Vec};
use frame_support::{ensure, traits::fungible::Mutate};
use sp_runtime::{AccountId32, DispatchResult};

use super::{coinbase::share, *};
use crate::commitments::Records as _;

/// Removes a subnet's entries of maps that have its number first.
macro_rules! clear {
    ($netuid:expr; $($item:ident)*) => {$($item::<T>::remove($netuid);)*};
}

/// Removes a subnet's entries of double maps that have its number first.
macro_rules! clear_prefix {
    ($netuid:expr; $($item:ident)*) => {$(let _ = $item::<T>::clear_prefix($netuid, u32::MAX, None);)*};
}

/// Removes a subnet's entries of double maps that have its number second.
macro_rules! clear_second {
    ($netuid:expr; $($item:ident)*) => {$({
        let hotkeys: Vec<AccountId32> = $item::<T>::iter_keys()
            .filter(|(_, on)| *on == $netuid)
            .map(|(hotkey, _)| hotkey)
            .collect();
        for hotkey in hotkeys {
            $item::<T>::remove(hotkey, $netuid);
        }
    })*};
}

impl<T: Config> Pallet<T> {
    /// Pays a subnet's stake out and removes it (`do_dissolve_network`).
    pub(super) fn do_dissolve_network(netuid: NetUid) -> DispatchResult {
        ensure!(
            netuid != 0 && NetworksAdded::<T>::get(netuid),
            Error::<T>::SubnetNotExists
        );
        Self::liquidate(netuid);
        Self::remove_neurons(netuid);
        Self::remove_settings(netuid);
        T::Commitments::forget(netuid);
        TotalNetworks::<T>::mutate(|count| *count = count.saturating_sub(1));
        Self::deposit_event(Event::NetworkRemoved(netuid));
        Ok(())
    }

    /// The subnet that makes room for a new one: the cheapest of those that are no longer immune, the oldest of equals
    /// (`get_network_to_prune`).
    pub(crate) fn network_to_prune() -> Option<NetUid> {
        let block = Self::current_block();
        let period = NetworkImmunityPeriod::<T>::get();
        Self::subnets()
            .into_iter()
            .map(|netuid| (netuid, NetworkRegisteredAt::<T>::get(netuid)))
            .filter(|(_, registered)| block >= registered.saturating_add(period))
            .min_by_key(|(netuid, registered)| {
                let price = SubnetMovingPrice::<T>::get(netuid).bits;
                (price, *registered, *netuid)
            })
            .map(|(netuid, _)| netuid)
    }

    /// Shares the subnet's TAO out by stake, what rounding leaves over by the largest remainders
    /// (`destroy_alpha_in_out_stakes`). Without stakers it leaves the issuance.
    fn liquidate(netuid: NetUid) {
        let pool = SubnetTAO::<T>::take(netuid);
        TotalStake::<T>::mutate(|total| *total = total.saturating_sub(pool));
        let mut stakes: BTreeMap<AccountId32, u128> = BTreeMap::new();
        let entries: Vec<(AccountId32, AccountId32)> = Alpha::<T>::iter_keys()
            .filter(|(.., on)| *on == netuid)
            .map(|(hotkey, coldkey, _)| (hotkey, coldkey))
            .collect();
        for (hotkey, coldkey) in entries {
            let stake = Self::stake_of(&hotkey, &coldkey, netuid);
            Alpha::<T>::remove((&hotkey, &coldkey, netuid));
            let sum = stakes.entry(coldkey).or_default();
            *sum = sum.saturating_add(stake.into());
        }
        let parts = divide(pool, stakes);
        if parts.is_empty() {
            TotalIssuance::<T>::mutate(|total| *total = total.saturating_sub(pool));
        }
        for (coldkey, part) in parts {
            Self::release(&coldkey, part);
        }
    }

    /// Pays TAO that was staked into an account; what no account can hold leaves the issuance.
    pub(super) fn release(coldkey: &AccountId32, amount: u64) {
        if T::Currency::mint_into(coldkey, amount).is_err() {
            TotalIssuance::<T>::mutate(|total| *total = total.saturating_sub(amount));
        }
    }

    fn remove_neurons(netuid: NetUid) {
        clear_prefix!(netuid; Uids Keys BlockAtRegistration Axons Weights Bonds NeuronCertificates Prometheus
            AlphaDividendsPerSubnet PendingChildKeys WeightCommits TimelockedWeightCommits HotkeyLock DecayingHotkeyLock
            LastHotkeySwapOnNetuid);
        clear_second!(netuid; IsNetworkMember ChildKeys ParentKeys ChildkeyTake AutoStakeDestination
            AutoStakeDestinationColdkeys TotalHotkeyAlpha TotalHotkeyAlphaLastEpoch TotalHotkeyShares DecayingLock);
        clear!(netuid; SubnetworkN Active Emission Consensus Incentive Dividends ValidatorTrust ValidatorPermit StakeWeight
            LastUpdate);
        let limited: Vec<_> = TransactionKeyLastBlock::<T>::iter_keys()
            .filter(|(_, on, _)| *on == netuid)
            .collect();
        for key in limited {
            TransactionKeyLastBlock::<T>::remove(key);
        }
        let limited: Vec<_> = LastRateLimitedBlock::<T>::iter_keys()
            .filter(|key| key.netuid() == Some(netuid))
            .collect();
        for key in limited {
            LastRateLimitedBlock::<T>::remove(key);
        }
    }

    fn remove_settings(netuid: NetUid) {
        clear!(netuid; NetworksAdded SubnetMechanism MechanismCountCurrent MechanismEmissionSplit SubnetOwner
            SubnetOwnerHotkey NetworkRegisteredAt FirstEmissionBlockNumber SubtokenEnabled TokenSymbol SubnetLocked
            SubnetIdentitiesV3 SubnetEpochConsensus CollateralLockShare OwnerLock DecayingOwnerLock);
        clear!(netuid; Tempo LastEpochBlock PendingEpochAt SubnetEpochIndex BlocksSinceLastStep LastMechansimStepBlock
            RevealPeriodEpochs CommitRevealWeightsEnabled ActivityCutoff ActivityCutoffFactorMilli);
        clear!(netuid; SubnetAlphaOut SubnetAlphaOutEmission SubnetTaoInEmission SubnetAlphaIn SubnetAlphaInEmission
            SubnetVolume SubnetMovingPrice SubnetEmaTaoFlow PendingServerEmission PendingValidatorEmission
            PendingOwnerCut RecycleOrBurn OwnerCutEnabled OwnerCutAutoLockEnabled TransferToggle);
        clear!(netuid; NetworkRegistrationAllowed NetworkPowRegistrationAllowed Burn MinBurn MaxBurn BurnHalfLife
            BurnIncreaseMult RAORecycledForRegistration RegistrationsThisBlock RegistrationsThisInterval
            MaxRegistrationsPerBlock TargetRegistrationsPerInterval AdjustmentInterval AdjustmentAlpha
            LastAdjustmentBlock Difficulty MinDifficulty MaxDifficulty);
        clear!(netuid; MinAllowedUids MaxAllowedUids ImmunityPeriod MinNonImmuneUids ImmuneOwnerUidsLimit
            ServingRateLimit WeightsSetRateLimit WeightsVersionKey MinAllowedWeights MaxWeightsLimit
            MaxAllowedValidators MinChildkeyTakePerSubnet);
        clear!(netuid; Rho Kappa BondsMovingAverage BondsPenalty BondsResetOn Yuma3On LiquidAlphaOn AlphaValues
            AlphaSigmoidSteepness);
    }
}

/// Shares `amount` out in proportion to these stakes: all of it, if there are any.
fn divide(amount: u64, stakes: BTreeMap<AccountId32, u128>) -> Vec<(AccountId32, u64)> {
    let whole: u128 = stakes.values().sum();
    let mut parts: Vec<(AccountId32, u64, u128)> = stakes
        .into_iter()
        .filter(|(_, stake)| *stake > 0)
        .map(|(coldkey, stake)| {
            let remainder = (u128::from(amount) * stake) % whole;
            (coldkey, share(amount, stake, whole), remainder)
        })
        .collect();
    parts.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
    let paid: u64 = parts.iter().map(|(_, part, _)| part).sum();
    let extra = usize::try_from(amount.saturating_sub(paid)).unwrap_or(usize::MAX);
    for (_, part, _) in parts.iter_mut().take(extra) {
        *part = part.saturating_add(1);
    }
    parts
        .into_iter()
        .map(|(coldkey, part, _)| (coldkey, part))
        .collect()
}
