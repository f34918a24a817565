//! Stake TAO on hotkeys and pay what they earn to those who did.
//!
//! One alpha costs one rao of TAO and yields one back. A hotkey's alpha is divided by shares: staking buys shares at
//! their present worth, pay raises their worth.

mod burn;
mod limits;
mod moves;
mod nomination;
mod take;
mod withdrawal;

use frame_support::{ensure, traits::fungible::Mutate};
use sp_runtime::{
    AccountId32, DispatchResult, Rounding, helpers_128bit::multiply_by_rational_with_rounding,
};

pub(crate) use limits::PRICE;

use super::*;
use crate::fixed::U64F64;

/// Least amount of a stake operation, in rao.
const MIN_STAKE: u64 = 2_000_000;

impl<T: Config> Pallet<T> {
    /// Stakes `tao` rao of `coldkey` on `hotkey`.
    pub(super) fn do_add_stake(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        netuid: NetUid,
        tao: u64,
    ) -> DispatchResult {
        Self::check_staking(hotkey, netuid, tao)?;
        ensure!(
            Self::can_pay(coldkey, tao),
            Error::<T>::NotEnoughBalanceToStake
        );
        Self::take_balance(coldkey, tao)?;
        SubnetTAO::<T>::mutate(netuid, |pool| *pool = pool.saturating_add(tao));
        TotalStake::<T>::mutate(|total| *total = total.saturating_add(tao));
        SubnetAlphaOut::<T>::mutate(netuid, |issued| *issued = issued.saturating_add(tao));
        Self::credit_stake(hotkey, coldkey, netuid, tao);
        StakingHotkeys::<T>::mutate(coldkey, |hotkeys| registration::add(hotkeys, hotkey));
        Self::count_volume(netuid, tao);
        if Owner::<T>::get(hotkey) != *coldkey {
            Self::become_delegate(hotkey);
        }
        let (coldkey, hotkey) = (coldkey.clone(), hotkey.clone());
        Self::deposit_event(Event::StakeAdded(coldkey, hotkey, tao, tao, netuid, 0));
        Ok(())
    }

    /// Pays `alpha` rao of what `coldkey` staked on `hotkey` back in TAO.
    pub(super) fn do_remove_stake(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        netuid: NetUid,
        alpha: u64,
    ) -> DispatchResult {
        Self::check_staking(hotkey, netuid, alpha)?;
        let staked = Self::stake_of(hotkey, coldkey, netuid);
        ensure!(staked >= alpha, Error::<T>::NotEnoughStakeToWithdraw);
        ensure!(
            SubnetTAO::<T>::get(netuid) >= alpha,
            Error::<T>::InsufficientLiquidity
        );

        Self::debit_stake(hotkey, coldkey, netuid, alpha);
        Self::pay_out(coldkey, hotkey, netuid, alpha)?;
        Self::clear_small_nomination(hotkey, coldkey, netuid);
        Ok(())
    }

    /// Takes shares worth `alpha` rao, which `coldkey` must have, from its stake on `hotkey`.
    fn debit_stake(hotkey: &AccountId32, coldkey: &AccountId32, netuid: NetUid, alpha: u64) {
        let staked = Self::stake_of(hotkey, coldkey, netuid);
        let total = TotalHotkeyAlpha::<T>::get(hotkey, netuid);
        let entry = (hotkey, coldkey, netuid);
        let held = Alpha::<T>::get(entry);
        let sold = match alpha == staked {
            true => held,
            false => {
                shares_for(alpha, total, TotalHotkeyShares::<T>::get(hotkey, netuid)).min(held)
            }
        };
        match held.saturating_sub(sold) {
            U64F64::ZERO => Alpha::<T>::remove(entry),
            rest => Alpha::<T>::insert(entry, rest),
        }
        TotalHotkeyShares::<T>::mutate(hotkey, netuid, |all| *all = all.saturating_sub(sold));
        TotalHotkeyAlpha::<T>::insert(hotkey, netuid, total.saturating_sub(alpha));
    }

    /// Changes `alpha` rao that belong to nobody into TAO of `coldkey`.
    fn pay_out(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        netuid: NetUid,
        alpha: u64,
    ) -> DispatchResult {
        Self::withdraw(netuid, alpha);
        T::Currency::mint_into(coldkey, alpha)?;
        Self::forget_unfit_children(hotkey);
        let (coldkey, hotkey) = (coldkey.clone(), hotkey.clone());
        Self::deposit_event(Event::StakeRemoved(
            coldkey, hotkey, alpha, alpha, netuid, 0,
        ));
        Ok(())
    }

    /// Takes `alpha` rao and as much TAO out of a subnet's pool.
    fn withdraw(netuid: NetUid, alpha: u64) {
        SubnetAlphaOut::<T>::mutate(netuid, |issued| *issued = issued.saturating_sub(alpha));
        SubnetTAO::<T>::mutate(netuid, |pool| *pool = pool.saturating_sub(alpha));
        TotalStake::<T>::mutate(|total| *total = total.saturating_sub(alpha));
        Self::count_volume(netuid, alpha);
    }

    fn count_volume(netuid: NetUid, amount: u64) {
        SubnetVolume::<T>::mutate(netuid, |sum| *sum = sum.saturating_add(amount.into()));
    }

    /// A hotkey whose stake fell below the threshold loses the children that it chose but does not have yet.
    fn forget_unfit_children(hotkey: &AccountId32) {
        if Self::total_stake(hotkey) < StakeThreshold::<T>::get() {
            for netuid in Self::subnets() {
                PendingChildKeys::<T>::remove(netuid, hotkey);
            }
        }
    }

    fn check_staking(hotkey: &AccountId32, netuid: NetUid, amount: u64) -> Result<(), Error<T>> {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            SubtokenEnabled::<T>::get(netuid),
            Error::<T>::SubtokenDisabled
        );
        ensure!(amount >= MIN_STAKE, Error::<T>::AmountTooLow);
        ensure!(
            Owner::<T>::contains_key(hotkey),
            Error::<T>::HotKeyAccountNotExists
        );
        Ok(())
    }

    /// What `coldkey`'s shares of `hotkey` are worth, in rao.
    pub(crate) fn stake_of(hotkey: &AccountId32, coldkey: &AccountId32, netuid: NetUid) -> u64 {
        let held = Alpha::<T>::get((hotkey, coldkey, netuid)).bits;
        let all = TotalHotkeyShares::<T>::get(hotkey, netuid).bits;
        let total = TotalHotkeyAlpha::<T>::get(hotkey, netuid);
        if all == 0 {
            return 0;
        }
        multiply_by_rational_with_rounding(total.into(), held, all, Rounding::Down)
            .and_then(|worth| u64::try_from(worth).ok())
            .unwrap_or(u64::MAX)
    }

    /// Gives `coldkey` shares of `hotkey` worth `alpha` rao, which must have been issued.
    pub(super) fn credit_stake(
        hotkey: &AccountId32,
        coldkey: &AccountId32,
        netuid: NetUid,
        alpha: u64,
    ) {
        if alpha == 0 {
            return;
        }
        let total = TotalHotkeyAlpha::<T>::get(hotkey, netuid);
        let shares = shares_for(alpha, total, TotalHotkeyShares::<T>::get(hotkey, netuid));
        Alpha::<T>::mutate((hotkey, coldkey, netuid), |held| {
            *held = held.saturating_add(shares)
        });
        TotalHotkeyShares::<T>::mutate(hotkey, netuid, |all| *all = all.saturating_add(shares));
        TotalHotkeyAlpha::<T>::insert(hotkey, netuid, total.saturating_add(alpha));
    }

    /// Raises the worth of all shares of `hotkey` by `alpha` rao together, which must have been issued. Without shares
    /// there is nobody but the owner to pay.
    pub(super) fn credit_stakers(hotkey: &AccountId32, netuid: NetUid, alpha: u64) {
        if TotalHotkeyShares::<T>::get(hotkey, netuid) == U64F64::ZERO {
            return Self::credit_stake(hotkey, &Owner::<T>::get(hotkey), netuid, alpha);
        }
        TotalHotkeyAlpha::<T>::mutate(hotkey, netuid, |total| *total = total.saturating_add(alpha));
    }

    /// Issues `amount` rao of alpha and the TAO behind it.
    pub(super) fn issue_stake(netuid: NetUid, amount: u64) {
        SubnetAlphaOut::<T>::mutate(netuid, |issued| *issued = issued.saturating_add(amount));
        SubnetTAO::<T>::mutate(netuid, |pool| *pool = pool.saturating_add(amount));
        TotalStake::<T>::mutate(|total| *total = total.saturating_add(amount));
        TotalIssuance::<T>::mutate(|total| *total = total.saturating_add(amount));
    }
}

/// Shares that `alpha` buys when all of them are worth `total`; one each for the first.
fn shares_for(alpha: u64, total: u64, all: U64F64) -> U64F64 {
    match total == 0 || all == U64F64::ZERO {
        true => U64F64::from_int(alpha),
        false => all.scale(alpha.into(), total.into()),
    }
}
