//! What a hotkey's owner keeps of the dividends of those who stake on it.

use frame_support::ensure;
use sp_runtime::{AccountId32, DispatchResult};

use super::*;

impl<T: Config> Pallet<T> {
    /// Sets a hotkey's take, up or down (`do_increase_take`, `do_decrease_take`).
    pub(in crate::subtensor) fn do_change_take(
        coldkey: AccountId32,
        hotkey: AccountId32,
        take: u16,
        up: bool,
    ) -> DispatchResult {
        Self::check_take(&coldkey, &hotkey, take, up)?;
        let block = Self::current_block();
        let key = RateLimitKey::LastTxBlockDelegateTake(hotkey.clone());
        let last = LastRateLimitedBlock::<T>::get(&key);
        let limit = TxDelegateTakeRateLimit::<T>::get();
        ensure!(
            !up || limit == 0 || last == 0 || block.saturating_sub(last) > limit,
            Error::<T>::DelegateTxRateLimitExceeded
        );
        LastRateLimitedBlock::<T>::insert(key, block);
        Delegates::<T>::insert(&hotkey, take);
        Self::deposit_event(match up {
            true => Event::TakeIncreased(coldkey, hotkey, take),
            false => Event::TakeDecreased(coldkey, hotkey, take),
        });
        Ok(())
    }

    /// Whether `coldkey` may set this take, but for how often.
    pub(in crate::subtensor) fn check_take(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        take: u16,
        up: bool,
    ) -> Result<(), Error<T>> {
        let owner = Owner::<T>::try_get(hotkey).map_err(|()| Error::<T>::HotKeyAccountNotExists)?;
        ensure!(owner == *coldkey, Error::<T>::NonAssociatedColdKey);
        if let Ok(current) = Delegates::<T>::try_get(hotkey) {
            let changes = if up { take > current } else { take < current };
            ensure!(changes, Error::<T>::DelegateTakeTooLow);
        }
        match up {
            true => ensure!(
                take <= MaxDelegateTake::<T>::get(),
                Error::<T>::DelegateTakeTooHigh
            ),
            false => ensure!(
                take >= MinDelegateTake::<T>::get(),
                Error::<T>::DelegateTakeTooLow
            ),
        }
        Ok(())
    }

    /// Lists a hotkey among those that others stake on, with the take that it has (`maybe_become_delegate`).
    pub(in crate::subtensor) fn become_delegate(hotkey: &AccountId32) {
        if !Delegates::<T>::contains_key(hotkey) {
            Delegates::<T>::insert(hotkey, Delegates::<T>::get(hotkey));
        }
    }

    /// Stakes the incentive of a coldkey's miners on this hotkey (`set_coldkey_auto_stake_hotkey`).
    pub(in crate::subtensor) fn do_set_auto_stake(
        coldkey: AccountId32,
        netuid: NetUid,
        hotkey: AccountId32,
    ) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            Uids::<T>::contains_key(netuid, &hotkey),
            Error::<T>::HotKeyNotRegisteredInSubNet
        );
        let current = AutoStakeDestination::<T>::get(&coldkey, netuid);
        ensure!(
            current.as_ref() != Some(&hotkey),
            Error::<T>::SameAutoStakeHotkeyAlreadySet
        );
        if let Some(current) = current {
            AutoStakeDestinationColdkeys::<T>::mutate(current, netuid, |coldkeys| {
                coldkeys.retain(|known| *known != coldkey)
            });
        }
        AutoStakeDestinationColdkeys::<T>::mutate(&hotkey, netuid, |coldkeys| {
            registration::add(coldkeys, &coldkey)
        });
        AutoStakeDestination::<T>::insert(&coldkey, netuid, &hotkey);
        Self::deposit_event(Event::AutoStakeDestinationSet {
            coldkey,
            netuid,
            hotkey,
        });
        Ok(())
    }
}
