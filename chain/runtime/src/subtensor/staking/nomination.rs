//! Stake on hotkeys of others, of which too small a sum is not kept.

use alloc::vec::Vec;
use sp_runtime::AccountId32;

use super::*;

impl<T: Config> Pallet<T> {
    /// Sets the least stake on a hotkey of another. If it rises, smaller ones are paid back at once
    /// (`clear_small_nominations`).
    pub(crate) fn put_nominator_minimum(least: u64) {
        let before = NominatorMinRequiredStake::<T>::get();
        NominatorMinRequiredStake::<T>::put(least);
        if least <= before {
            return;
        }
        let mut stakes: Vec<(AccountId32, AccountId32, NetUid)> = Alpha::<T>::iter_keys().collect();
        stakes.sort();
        for (hotkey, coldkey, netuid) in stakes {
            Self::clear_small_nomination(&hotkey, &coldkey, netuid);
        }
    }

    /// Pays back what `coldkey` has on a hotkey of another, if it is less than the least
    /// (`clear_small_nomination_if_required`).
    pub(in crate::subtensor) fn clear_small_nomination(
        hotkey: &AccountId32,
        coldkey: &AccountId32,
        netuid: NetUid,
    ) {
        if Owner::<T>::get(hotkey) == *coldkey {
            return;
        }
        let stake = Self::stake_of(hotkey, coldkey, netuid);
        if stake == 0
            || stake >= NominatorMinRequiredStake::<T>::get()
            || SubnetTAO::<T>::get(netuid) < stake
        {
            return;
        }
        Self::debit_stake(hotkey, coldkey, netuid, stake);
        Self::withdraw(netuid, stake);
        Self::release(coldkey, stake);
        let (coldkey, hotkey) = (coldkey.clone(), hotkey.clone());
        Self::deposit_event(Event::StakeRemoved(
            coldkey, hotkey, stake, stake, netuid, 0,
        ));
    }
}
