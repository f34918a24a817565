//! Move stake between hotkeys, coldkeys and subnets.

use frame_support::ensure;
use sp_runtime::{AccountId32, DispatchError};

use super::*;

/// One end of a move.
pub(in crate::subtensor) struct Place<'a> {
    pub(in crate::subtensor) coldkey: &'a AccountId32,
    pub(in crate::subtensor) hotkey: &'a AccountId32,
    pub(in crate::subtensor) netuid: NetUid,
}

impl<T: Config> Pallet<T> {
    /// Moves up to `alpha` rao of stake; returns what it is worth in rao of TAO (`transition_stake_internal`).
    pub(in crate::subtensor) fn move_stake_between(
        from: &Place<'_>,
        to: &Place<'_>,
        alpha: u64,
    ) -> Result<u64, DispatchError> {
        let alpha = alpha.min(Self::stake_of(from.hotkey, from.coldkey, from.netuid));
        let same =
            from.coldkey == to.coldkey && from.hotkey == to.hotkey && from.netuid == to.netuid;
        ensure!(!same, Error::<T>::SameNetuid);
        Self::check_staking(from.hotkey, from.netuid, alpha)?;
        Self::check_staking(to.hotkey, to.netuid, alpha)?;
        if from.coldkey != to.coldkey {
            let allowed = [from.netuid, to.netuid]
                .iter()
                .all(TransferToggle::<T>::get);
            ensure!(allowed, Error::<T>::TransferDisallowed);
        }
        Self::debit_stake(from.hotkey, from.coldkey, from.netuid, alpha);
        if from.netuid != to.netuid {
            Self::move_pool(from.netuid, to.netuid, alpha)?;
        }
        Self::credit_stake(to.hotkey, to.coldkey, to.netuid, alpha);
        StakingHotkeys::<T>::mutate(to.coldkey, |hotkeys| registration::add(hotkeys, to.hotkey));
        if Owner::<T>::get(to.hotkey) != *to.coldkey {
            Self::become_delegate(to.hotkey);
        }
        Self::clear_small_nomination(from.hotkey, from.coldkey, from.netuid);
        Self::forget_unfit_children(from.hotkey);
        Ok(alpha)
    }

    /// Exchanges alpha of one subnet for another's.
    fn move_pool(from: NetUid, to: NetUid, alpha: u64) -> Result<(), Error<T>> {
        ensure!(
            SubnetTAO::<T>::get(from) >= alpha,
            Error::<T>::InsufficientLiquidity
        );
        SubnetTAO::<T>::mutate(from, |pool| *pool = pool.saturating_sub(alpha));
        SubnetAlphaOut::<T>::mutate(from, |issued| *issued = issued.saturating_sub(alpha));
        SubnetTAO::<T>::mutate(to, |pool| *pool = pool.saturating_add(alpha));
        SubnetAlphaOut::<T>::mutate(to, |issued| *issued = issued.saturating_add(alpha));
        Self::count_volume(from, alpha);
        Self::count_volume(to, alpha);
        Ok(())
    }
}
