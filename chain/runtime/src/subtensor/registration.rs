//! Give hotkeys their UIDs, at a price that rises with demand.

use alloc::vec::Vec;
use frame_support::{
    ensure,
    traits::{
        fungible::{Inspect, Mutate},
        tokens::{Fortitude, Precision, Preservation},
    },
};
use sp_runtime::{AccountId32, DispatchError, DispatchResult};

use super::*;

/// How well a neuron is protected from replacement: the lowest goes first. Less emission, then older, then lower UID.
type Standing = (u64, u64, u16);

impl<T: Config> Pallet<T> {
    /// Registers `hotkey` for `coldkey`, who pays the current price. The TAO is taken out of the issuance.
    pub(super) fn do_register(
        coldkey: &AccountId32,
        netuid: NetUid,
        hotkey: AccountId32,
    ) -> DispatchResult {
        ensure!(
            netuid != 0,
            Error::<T>::RegistrationNotPermittedOnRootSubnet
        );
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            NetworkRegistrationAllowed::<T>::get(netuid),
            Error::<T>::SubNetRegistrationDisabled
        );
        ensure!(
            !Uids::<T>::contains_key(netuid, &hotkey),
            Error::<T>::HotKeyAlreadyRegisteredInSubNet
        );
        let price = Burn::<T>::get(netuid);
        ensure!(
            Self::can_pay(coldkey, price),
            Error::<T>::NotEnoughBalanceToStake
        );
        Self::associate(coldkey, &hotkey)?;

        Self::recycle_balance(coldkey, price)?;
        let uid = if SubnetworkN::<T>::get(netuid) < MaxAllowedUids::<T>::get(netuid) {
            Self::append_neuron(netuid, &hotkey)
        } else {
            let uid = Self::neuron_to_prune(netuid).ok_or(Error::<T>::NoNeuronIdAvailable)?;
            Self::replace_neuron(netuid, uid, &hotkey);
            uid
        };
        Self::raise_price(netuid);
        RegistrationsThisBlock::<T>::mutate(netuid, |count| *count = count.saturating_add(1));
        RAORecycledForRegistration::<T>::mutate(netuid, |sum| *sum = sum.saturating_add(price));
        Self::deposit_event(Event::NeuronRegistered(netuid, uid, hotkey));
        Ok(())
    }

    /// Whether `coldkey` can pay `amount` rao and keep its account.
    pub(super) fn can_pay(coldkey: &AccountId32, amount: u64) -> bool {
        let spendable =
            T::Currency::reducible_balance(coldkey, Preservation::Preserve, Fortitude::Polite);
        spendable >= amount
    }

    /// Takes `amount` rao from `coldkey` and from the issuance.
    pub(super) fn recycle_balance(coldkey: &AccountId32, amount: u64) -> DispatchResult {
        Self::take_balance(coldkey, amount)?;
        TotalIssuance::<T>::mutate(|total| *total = total.saturating_sub(amount));
        Ok(())
    }

    /// Takes `amount` rao from `coldkey`; where it goes is the caller's business.
    pub(super) fn take_balance(coldkey: &AccountId32, amount: u64) -> Result<(), DispatchError> {
        T::Currency::burn_from(
            coldkey,
            amount,
            Preservation::Preserve,
            Precision::Exact,
            Fortitude::Polite,
        )?;
        Ok(())
    }

    /// Makes `hotkey` known as `coldkey`'s, unless it is another's.
    pub(super) fn associate(coldkey: &AccountId32, hotkey: &AccountId32) -> DispatchResult {
        match Owner::<T>::try_get(hotkey) {
            Ok(owner) => {
                ensure!(owner == *coldkey, Error::<T>::NonAssociatedColdKey);
            }
            Err(()) => {
                Owner::<T>::insert(hotkey, coldkey);
                OwnedHotkeys::<T>::mutate(coldkey, |hotkeys| add(hotkeys, hotkey));
                StakingHotkeys::<T>::mutate(coldkey, |hotkeys| add(hotkeys, hotkey));
            }
        }
        Ok(())
    }

    /// Gives `hotkey` the next UID.
    pub(super) fn append_neuron(netuid: NetUid, hotkey: &AccountId32) -> u16 {
        let uid = SubnetworkN::<T>::get(netuid);
        SubnetworkN::<T>::insert(netuid, uid.saturating_add(1));
        Active::<T>::append(netuid, true);
        Emission::<T>::append(netuid, 0_u64);
        Consensus::<T>::append(netuid, 0_u16);
        Incentive::<T>::append(netuid, 0_u16);
        Dividends::<T>::append(netuid, 0_u16);
        ValidatorTrust::<T>::append(netuid, 0_u16);
        StakeWeight::<T>::append(netuid, 0_u16);
        ValidatorPermit::<T>::append(netuid, false);
        LastUpdate::<T>::append(netuid, Self::current_block());
        Self::seat(netuid, uid, hotkey);
        uid
    }

    /// Gives `hotkey` a UID that another held. Nothing of the other's standing stays: neither what it said nor what was
    /// said about it.
    fn replace_neuron(netuid: NetUid, uid: u16, hotkey: &AccountId32) {
        let old = Keys::<T>::get(netuid, uid);
        Uids::<T>::remove(netuid, &old);
        IsNetworkMember::<T>::remove(&old, netuid);
        Axons::<T>::remove(netuid, &old);

        Active::<T>::mutate(netuid, |values| set(values, uid, true));
        Emission::<T>::mutate(netuid, |values| set(values, uid, 0));
        Consensus::<T>::mutate(netuid, |values| set(values, uid, 0));
        Incentive::<T>::mutate(netuid, |values| set(values, uid, 0));
        Dividends::<T>::mutate(netuid, |values| set(values, uid, 0));
        ValidatorTrust::<T>::mutate(netuid, |values| set(values, uid, 0));
        StakeWeight::<T>::mutate(netuid, |values| set(values, uid, 0));
        ValidatorPermit::<T>::mutate(netuid, |values| set(values, uid, false));
        let block = Self::current_block();
        LastUpdate::<T>::mutate(netuid, |values| set(values, uid, block));
        Weights::<T>::remove(netuid, uid);
        Bonds::<T>::remove(netuid, uid);
        for other in 0..SubnetworkN::<T>::get(netuid) {
            forget(uid, Weights::<T>::get(netuid, other), |row| {
                Weights::<T>::insert(netuid, other, row)
            });
            forget(uid, Bonds::<T>::get(netuid, other), |row| {
                Bonds::<T>::insert(netuid, other, row)
            });
        }
        Self::seat(netuid, uid, hotkey);
    }

    fn seat(netuid: NetUid, uid: u16, hotkey: &AccountId32) {
        Keys::<T>::insert(netuid, uid, hotkey);
        Uids::<T>::insert(netuid, hotkey, uid);
        IsNetworkMember::<T>::insert(hotkey, netuid, true);
        BlockAtRegistration::<T>::insert(netuid, uid, Self::current_block());
    }

    /// Which UID the next registration replaces: the lowest standing among those past their immunity, or among the
    /// immune when too few are past it. The owner's protected UIDs are never chosen.
    fn neuron_to_prune(netuid: NetUid) -> Option<u16> {
        let protected = Self::protected_uids(netuid);
        let emission = Emission::<T>::get(netuid);
        let block = Self::current_block();
        let immunity = u64::from(ImmunityPeriod::<T>::get(netuid));
        let (mut immune, mut free): (Vec<Standing>, Vec<Standing>) = Default::default();
        for uid in (0..SubnetworkN::<T>::get(netuid)).filter(|uid| !protected.contains(uid)) {
            let registered = BlockAtRegistration::<T>::get(netuid, uid);
            let earned = emission.get(usize::from(uid)).copied().unwrap_or(0);
            let group = if block.saturating_sub(registered) < immunity {
                &mut immune
            } else {
                &mut free
            };
            group.push((earned, registered, uid));
        }
        let enough_free = free.len() > usize::from(MinNonImmuneUids::<T>::get(netuid));
        let lowest = |group: Vec<Standing>| group.into_iter().min().map(|(_, _, uid)| uid);
        if enough_free {
            lowest(free)
        } else {
            lowest(immune)
        }
    }

    /// The owner's hotkey and the owner's oldest other neurons, up to the limit.
    fn protected_uids(netuid: NetUid) -> Vec<u16> {
        let owner = SubnetOwner::<T>::get(netuid);
        let mut owned: Vec<(u64, u16)> = OwnedHotkeys::<T>::get(owner)
            .iter()
            .filter_map(|hotkey| Uids::<T>::get(netuid, hotkey))
            .map(|uid| (BlockAtRegistration::<T>::get(netuid, uid), uid))
            .collect();
        owned.sort_unstable();
        let mut uids: Vec<u16> = Self::owner_uid(netuid).into_iter().collect();
        for (_, uid) in owned {
            if !uids.contains(&uid) {
                uids.push(uid);
            }
        }
        uids.truncate(ImmuneOwnerUidsLimit::<T>::get(netuid).into());
        uids
    }

    /// UID of the owner's hotkey, if it is registered.
    pub(super) fn owner_uid(netuid: NetUid) -> Option<u16> {
        let hotkey = SubnetOwnerHotkey::<T>::try_get(netuid).ok()?;
        Uids::<T>::get(netuid, hotkey)
    }

    fn raise_price(netuid: NetUid) {
        let factor = BurnIncreaseMult::<T>::get(netuid).max(crate::fixed::U64F64::from_int(1));
        let raised = factor.scale(Burn::<T>::get(netuid).into(), 1).to_int();
        Self::set_price(netuid, raised);
    }

    /// Lets the price decay by a block's worth of its half-life.
    pub(super) fn decay_price(netuid: NetUid) {
        let price = Burn::<T>::get(netuid);
        let decayed = match BurnHalfLife::<T>::get(netuid) {
            0 => price,
            half_life => multiply_q32(price, decay_q32(half_life)),
        };
        Self::set_price(netuid, decayed);
        if RegistrationsThisBlock::<T>::get(netuid) > 0 {
            RegistrationsThisBlock::<T>::insert(netuid, 0);
        }
    }

    fn set_price(netuid: NetUid, price: u64) {
        let (low, high) = (MinBurn::<T>::get(netuid), MaxBurn::<T>::get(netuid));
        let price = price.min(high).max(low);
        if price != Burn::<T>::get(netuid) {
            Burn::<T>::insert(netuid, price);
        }
    }
}

/// Adds a hotkey to a list that does not have it.
pub(super) fn add(hotkeys: &mut Vec<AccountId32>, hotkey: &AccountId32) {
    if !hotkeys.contains(hotkey) {
        hotkeys.push(hotkey.clone());
    }
}

/// Writes one entry of a per-UID vector.
pub(super) fn set<V>(values: &mut [V], uid: u16, value: V) {
    if let Some(slot) = values.get_mut(usize::from(uid)) {
        *slot = value;
    }
}

/// Sets the entry for `uid` to zero, and stores the row if it had one.
fn forget(uid: u16, mut row: Vec<(u16, u16)>, store: impl FnOnce(Vec<(u16, u16)>)) {
    if let Some(entry) = row
        .iter_mut()
        .find(|(target, value)| *target == uid && *value != 0)
    {
        entry.1 = 0;
        store(row);
    }
}

/// `value * factor` for a factor with 32 fractional bits, rounded down.
fn multiply_q32(value: u64, factor: u64) -> u64 {
    u64::try_from((u128::from(value) * u128::from(factor)) >> 32).unwrap_or(u64::MAX)
}

/// The largest factor with 32 fractional bits whose `half_life`-th power is at most one half.
fn decay_q32(half_life: u16) -> u64 {
    let (mut low, mut high) = (0_u64, 1_u64 << 32);
    while high - low > 1 {
        let middle = (low + high) / 2;
        if power_q32(middle, half_life) <= 1 << 31 {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

fn power_q32(base: u64, exponent: u16) -> u64 {
    let (mut result, mut square, mut rest) = (1_u64 << 32, base, exponent);
    while rest > 0 {
        if rest & 1 == 1 {
            result = multiply_q32(result, square);
        }
        square = multiply_q32(square, square);
        rest >>= 1;
    }
    result
}
