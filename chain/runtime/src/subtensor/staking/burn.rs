//! Give stake up for good.

use frame_support::ensure;
use sp_runtime::{AccountId32, DispatchResult};

use super::*;

impl<T: Config> Pallet<T> {
    /// Destroys up to `amount` rao of stake: recycled alpha leaves the issuance, burned alpha stays issued and belongs to
    /// nobody (`do_recycle_alpha`, `do_burn_alpha`). The TAO behind it stays in the pool.
    pub(in crate::subtensor) fn do_destroy_alpha(
        coldkey: AccountId32,
        hotkey: AccountId32,
        amount: u64,
        netuid: NetUid,
        how: RecycleOrBurnEnum,
    ) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(netuid != 0, Error::<T>::CannotBurnOrRecycleOnRootSubnet);
        ensure!(
            SubtokenEnabled::<T>::get(netuid),
            Error::<T>::SubtokenDisabled
        );
        ensure!(
            Owner::<T>::contains_key(&hotkey),
            Error::<T>::HotKeyAccountNotExists
        );
        let amount = amount.min(Self::stake_of(&hotkey, &coldkey, netuid));
        Self::debit_stake(&hotkey, &coldkey, netuid, amount);
        Self::deposit_event(match how {
            RecycleOrBurnEnum::Recycle => {
                Self::recycle_alpha_out(netuid, amount);
                Event::AlphaRecycled(coldkey, hotkey, amount, netuid)
            }
            RecycleOrBurnEnum::Burn => Event::AlphaBurned(coldkey, hotkey, amount, netuid),
        });
        Ok(())
    }
}
