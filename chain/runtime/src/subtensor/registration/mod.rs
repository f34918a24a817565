//! Give hotkeys their UIDs, at a price that rises with demand.

mod price;
mod prune;
mod root;
mod trim;

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
        NeuronCertificates::<T>::remove(netuid, &old);
        Prometheus::<T>::remove(netuid, &old);

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
