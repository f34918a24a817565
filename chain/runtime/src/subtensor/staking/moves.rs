//! Move stake between hotkeys, coldkeys and subnets.

use frame_support::ensure;
use sp_runtime::{AccountId32, DispatchError, DispatchResult};

use super::*;

/// One end of a move.
struct Place<'a> {
    coldkey: &'a AccountId32,
    hotkey: &'a AccountId32,
    netuid: NetUid,
}

impl<'a> Place<'a> {
    fn new(coldkey: &'a AccountId32, hotkey: &'a AccountId32, netuid: NetUid) -> Self {
        Self {
            coldkey,
            hotkey,
            netuid,
        }
    }
}

// Pairs are (from, to).
impl<T: Config> Pallet<T> {
    /// Moves stake to another hotkey, and to another subnet if it is one (`do_move_stake`).
    pub(in crate::subtensor) fn do_move_stake(
        coldkey: AccountId32,
        hotkeys: (AccountId32, AccountId32),
        netuids: (NetUid, NetUid),
        alpha: u64,
    ) -> DispatchResult {
        let from = Place::new(&coldkey, &hotkeys.0, netuids.0);
        let to = Place::new(&coldkey, &hotkeys.1, netuids.1);
        let moved = Self::move_stake_between(&from, &to, alpha)?;
        Self::deposit_event(Event::StakeMoved(
            coldkey, hotkeys.0, netuids.0, hotkeys.1, netuids.1, moved,
        ));
        Ok(())
    }

    /// Gives stake to another coldkey (`do_transfer_stake`).
    pub(in crate::subtensor) fn do_transfer_stake(
        coldkeys: (AccountId32, AccountId32),
        hotkey: AccountId32,
        netuids: (NetUid, NetUid),
        alpha: u64,
    ) -> DispatchResult {
        let from = Place::new(&coldkeys.0, &hotkey, netuids.0);
        let to = Place::new(&coldkeys.1, &hotkey, netuids.1);
        let moved = Self::move_stake_between(&from, &to, alpha)?;
        Self::deposit_event(Event::StakeTransferred(
            coldkeys.0, coldkeys.1, hotkey, netuids.0, netuids.1, moved,
        ));
        Ok(())
    }

    /// Moves stake to another subnet (`do_swap_stake`).
    pub(in crate::subtensor) fn do_swap_stake(
        coldkey: AccountId32,
        hotkey: AccountId32,
        netuids: (NetUid, NetUid),
        alpha: u64,
    ) -> DispatchResult {
        let from = Place::new(&coldkey, &hotkey, netuids.0);
        let to = Place::new(&coldkey, &hotkey, netuids.1);
        let moved = Self::move_stake_between(&from, &to, alpha)?;
        Self::deposit_event(Event::StakeSwapped(
            coldkey, hotkey, netuids.0, netuids.1, moved,
        ));
        Ok(())
    }

    /// Moves up to `alpha` rao of stake; returns what it is worth in rao of TAO (`transition_stake_internal`).
    fn move_stake_between(
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
