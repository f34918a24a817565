//! Take everything back at once.

use frame_support::ensure;
use sp_runtime::{AccountId32, DispatchResult};

use super::*;

impl<T: Config> Pallet<T> {
    /// Unstakes all that `coldkey` has on `hotkey`, on every subnet where that can be done (`do_unstake_all`).
    pub(in crate::subtensor) fn do_unstake_all(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
    ) -> DispatchResult {
        ensure!(
            Owner::<T>::contains_key(hotkey),
            Error::<T>::HotKeyAccountNotExists
        );
        for netuid in Self::with_root() {
            let staked = Self::stake_of(hotkey, coldkey, netuid);
            if Self::check_staking(hotkey, netuid, staked).is_ok() {
                Self::do_remove_stake(coldkey, hotkey, netuid, staked)?;
            }
        }
        Ok(())
    }

    /// Unstakes all that `coldkey` has on `hotkey` on the subnets, and stakes it on root (`do_unstake_all_alpha`).
    pub(in crate::subtensor) fn do_unstake_all_alpha(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
    ) -> DispatchResult {
        ensure!(
            Owner::<T>::contains_key(hotkey),
            Error::<T>::HotKeyAccountNotExists
        );
        let mut moved = 0_u64;
        for netuid in Self::subnets() {
            let staked = Self::stake_of(hotkey, coldkey, netuid);
            if Self::check_staking(hotkey, netuid, staked).is_ok() {
                Self::do_remove_stake(coldkey, hotkey, netuid, staked)?;
                moved = moved.saturating_add(staked);
            }
        }
        Self::do_add_stake(coldkey, hotkey, 0, moved)
    }
}
