//! Stake and unstake within a price. An alpha is worth one TAO here, so a limit either lets everything through or
//! nothing.

use frame_support::ensure;
use sp_runtime::{AccountId32, DispatchResult};

use super::*;

/// Price of one alpha, in rao.
pub(crate) const PRICE: u64 = 1_000_000_000;

impl<T: Config> Pallet<T> {
    /// Stakes unless an alpha costs more than `limit_price` rao (`do_add_stake_limit`).
    pub(in crate::subtensor) fn do_add_stake_limit(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        netuid: NetUid,
        tao: u64,
        limit_price: u64,
        allow_partial: bool,
    ) -> DispatchResult {
        Self::check_price(limit_price >= PRICE, allow_partial)?;
        Self::do_add_stake(coldkey, hotkey, netuid, tao)
    }

    /// Unstakes unless an alpha yields less than `limit_price` rao (`do_remove_stake_limit`).
    pub(in crate::subtensor) fn do_remove_stake_limit(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        netuid: NetUid,
        alpha: u64,
        limit_price: u64,
        allow_partial: bool,
    ) -> DispatchResult {
        Self::check_price(limit_price <= PRICE, allow_partial)?;
        Self::do_remove_stake(coldkey, hotkey, netuid, alpha)
    }

    /// Beyond the limit nothing is exchanged: the whole is refused, and a part would be nothing.
    pub(in crate::subtensor) fn check_price(
        within: bool,
        allow_partial: bool,
    ) -> Result<(), Error<T>> {
        ensure!(within || allow_partial, Error::<T>::SlippageTooHigh);
        ensure!(within, Error::<T>::AmountTooLow);
        Ok(())
    }
}
