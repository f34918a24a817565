//! Put another hotkey in the place of one: its UIDs, its stake, its family and what it announced go with it
//! (`swap/swap_hotkey.rs`).
//!
//! Two things differ from Bittensor's: the new hotkey must not be another coldkey's, and the times from which rate limits
//! count go along, so that nobody escapes them. What binds the old hotkey stays bound to it: weights that are committed,
//! by hash or under a time lock, no longer open.

use alloc::{collections::BTreeSet, vec::Vec};
use frame_support::{ensure, traits::Get};
use sp_runtime::{AccountId32, DispatchResult};

use super::*;

/// Kinds of acts that are limited per hotkey and subnet, by their numbers.
const LIMITED_PER_SUBNET: [TransactionType; 2] = [
    TransactionType::SetChildren,
    TransactionType::SetChildkeyTake,
];

/// A hotkey and the one that takes its place.
#[derive(Clone, Copy)]
struct Swap<'a> {
    old: &'a AccountId32,
    new: &'a AccountId32,
}

impl<T: Config> Pallet<T> {
    /// Puts `new` in the place of `old`, which must be `coldkey`'s: on one subnet, or everywhere if none is named. The
    /// price is taken out of the issuance (`do_swap_hotkey`).
    pub(super) fn do_swap_hotkey(
        coldkey: &AccountId32,
        old: &AccountId32,
        new: &AccountId32,
        netuid: Option<NetUid>,
    ) -> DispatchResult {
        Self::check_swap(coldkey, old, new)?;
        let swap = Swap { old, new };
        match netuid {
            Some(netuid) => Self::swap_on_subnet(coldkey, swap, netuid)?,
            None => Self::swap_everywhere(coldkey, swap)?,
        }
        let key = RateLimitKey::LastTxBlock(coldkey.clone());
        LastRateLimitedBlock::<T>::insert(key, Self::current_block());
        Ok(())
    }

    /// The checks that do not depend on where.
    fn check_swap(
        coldkey: &AccountId32,
        old: &AccountId32,
        new: &AccountId32,
    ) -> Result<(), Error<T>> {
        let is_own = |hotkey| Owner::<T>::try_get(hotkey).map(|owner| owner == *coldkey);
        ensure!(is_own(old) == Ok(true), Error::<T>::NonAssociatedColdKey);
        ensure!(old != new, Error::<T>::NewHotKeyIsSameWithOld);
        ensure!(is_own(new) != Ok(false), Error::<T>::NonAssociatedColdKey);
        let last = LastRateLimitedBlock::<T>::get(RateLimitKey::LastTxBlock(coldkey.clone()));
        let waited = Self::current_block().saturating_sub(last);
        let limit = TxRateLimit::<T>::get();
        ensure!(
            limit == 0 || last == 0 || waited > limit,
            Error::<T>::HotKeySetTxRateLimitExceeded
        );
        Ok(())
    }

    fn swap_everywhere(coldkey: &AccountId32, swap: Swap<'_>) -> DispatchResult {
        let netuids = Self::with_root();
        let is_free = |netuid: &NetUid| !Uids::<T>::contains_key(netuid, swap.new);
        ensure!(
            netuids.iter().all(is_free),
            Error::<T>::HotKeyAlreadyRegisteredInSubNet
        );
        Self::pay_for_swap(coldkey, T::KeySwapCost::get())?;
        Self::associate(coldkey, swap.new)?;
        for netuid in netuids {
            Self::hand_over(swap, netuid)?;
        }
        Self::hand_over_ownership(coldkey, swap);
        Self::deposit_event(Event::HotkeySwapped {
            coldkey: coldkey.clone(),
            old_hotkey: swap.old.clone(),
            new_hotkey: swap.new.clone(),
        });
        Ok(())
    }

    fn swap_on_subnet(coldkey: &AccountId32, swap: Swap<'_>, netuid: NetUid) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            !Uids::<T>::contains_key(netuid, swap.new),
            Error::<T>::HotKeyAlreadyRegisteredInSubNet
        );
        let block = Self::current_block();
        let last = LastHotkeySwapOnNetuid::<T>::get(netuid, coldkey);
        ensure!(
            last == 0 || last.saturating_add(T::HotkeySwapOnSubnetInterval::get()) < block,
            Error::<T>::HotKeySwapOnSubnetIntervalNotPassed
        );
        Self::pay_for_swap(coldkey, T::KeySwapOnSubnetCost::get())?;
        Self::associate(coldkey, swap.new)?;
        Self::hand_over(swap, netuid)?;
        LastHotkeySwapOnNetuid::<T>::insert(netuid, coldkey, block);
        Self::deposit_event(Event::HotkeySwappedOnSubnet {
            coldkey: coldkey.clone(),
            old_hotkey: swap.old.clone(),
            new_hotkey: swap.new.clone(),
            netuid,
        });
        Ok(())
    }

    fn pay_for_swap(coldkey: &AccountId32, cost: u64) -> DispatchResult {
        ensure!(
            Self::can_pay(coldkey, cost),
            Error::<T>::NotEnoughBalanceToPaySwapHotKey
        );
        Self::recycle_balance(coldkey, cost)
    }

    /// Hands over everything that a hotkey has on one subnet.
    fn hand_over(swap: Swap<'_>, netuid: NetUid) -> DispatchResult {
        Self::hand_over_seat(swap, netuid);
        Self::hand_over_family(swap, netuid)?;
        Self::hand_over_auto_stake(swap, netuid);
        if SubnetOwnerHotkey::<T>::try_get(netuid).as_ref() == Ok(swap.old) {
            SubnetOwnerHotkey::<T>::insert(netuid, swap.new);
        }
        Self::hand_over_stake(swap, netuid);
        Ok(())
    }

    /// The UID, and what the neuron announced and committed to.
    fn hand_over_seat(swap: Swap<'_>, netuid: NetUid) {
        let Swap { old, new } = swap;
        let Some(uid) = Uids::<T>::take(netuid, old) else {
            return;
        };
        Uids::<T>::insert(netuid, new, uid);
        Keys::<T>::insert(netuid, uid, new);
        IsNetworkMember::<T>::remove(old, netuid);
        IsNetworkMember::<T>::insert(new, netuid, true);
        if let Some(axon) = Axons::<T>::take(netuid, old) {
            Axons::<T>::insert(netuid, new, axon);
        }
        if let Some(prometheus) = Prometheus::<T>::take(netuid, old) {
            Prometheus::<T>::insert(netuid, new, prometheus);
        }
        if let Some(certificate) = NeuronCertificates::<T>::take(netuid, old) {
            NeuronCertificates::<T>::insert(netuid, new, certificate);
        }
        if let Some(commits) = WeightCommits::<T>::take(netuid, old) {
            WeightCommits::<T>::insert(netuid, new, commits);
        }
    }

    /// Parents and children, chosen ones too. Where both hotkeys have some, they are not mixed (`InvalidChild` is what
    /// a hotkey's own child would be).
    fn hand_over_family(swap: Swap<'_>, netuid: NetUid) -> DispatchResult {
        let Swap { old, new } = swap;
        let children = ChildKeys::<T>::take(old, netuid);
        let parents = ParentKeys::<T>::take(old, netuid);
        if !children.is_empty() || !parents.is_empty() {
            let is_new = |(_, other): &(u64, AccountId32)| other == new;
            ensure!(
                !children.iter().chain(&parents).any(is_new),
                Error::<T>::InvalidChild
            );
            let free = !ChildKeys::<T>::contains_key(new, netuid)
                && !ParentKeys::<T>::contains_key(new, netuid);
            ensure!(free, Error::<T>::ChildParentInconsistency);
        }
        for (_, child) in &children {
            ParentKeys::<T>::mutate(child, netuid, |links| rename(links, swap));
        }
        for (_, parent) in &parents {
            ChildKeys::<T>::mutate(parent, netuid, |links| rename(links, swap));
        }
        if !children.is_empty() {
            ChildKeys::<T>::insert(new, netuid, children);
        }
        if !parents.is_empty() {
            ParentKeys::<T>::insert(new, netuid, parents);
        }
        if PendingChildKeys::<T>::contains_key(netuid, old) {
            let pending = PendingChildKeys::<T>::take(netuid, old);
            PendingChildKeys::<T>::insert(netuid, new, pending);
        }
        let choosing: Vec<AccountId32> = PendingChildKeys::<T>::iter_prefix(netuid)
            .filter(|(_, (chosen, _))| chosen.iter().any(|(_, child)| child == old))
            .map(|(hotkey, _)| hotkey)
            .collect();
        for hotkey in choosing {
            PendingChildKeys::<T>::mutate(netuid, hotkey, |(chosen, _)| rename(chosen, swap));
        }
        if ChildkeyTake::<T>::contains_key(old, netuid) {
            ChildkeyTake::<T>::insert(new, netuid, ChildkeyTake::<T>::take(old, netuid));
        }
        for kind in LIMITED_PER_SUBNET {
            kind.hand_over::<T>(old, new, netuid);
        }
        Ok(())
    }

    fn hand_over_auto_stake(swap: Swap<'_>, netuid: NetUid) {
        let coldkeys = AutoStakeDestinationColdkeys::<T>::take(swap.old, netuid);
        if coldkeys.is_empty() {
            return;
        }
        for coldkey in &coldkeys {
            AutoStakeDestination::<T>::insert(coldkey, netuid, swap.new);
        }
        AutoStakeDestinationColdkeys::<T>::mutate(swap.new, netuid, |known| {
            for coldkey in &coldkeys {
                registration::add(known, coldkey);
            }
        });
    }

    /// Everybody's stake on the hotkey, and its dividends. What rounding leaves over goes to all of them.
    fn hand_over_stake(swap: Swap<'_>, netuid: NetUid) {
        let Swap { old, new } = swap;
        let coldkeys: BTreeSet<AccountId32> = Alpha::<T>::iter_prefix((old,))
            .filter(|((_, on), _)| *on == netuid)
            .map(|((coldkey, _), _)| coldkey)
            .collect();
        let held: Vec<(AccountId32, u64)> = coldkeys
            .into_iter()
            .map(|coldkey| {
                let stake = Self::stake_of(old, &coldkey, netuid);
                (coldkey, stake)
            })
            .collect();
        for (coldkey, _) in &held {
            Alpha::<T>::remove((old, coldkey, netuid));
        }
        TotalHotkeyShares::<T>::remove(old, netuid);
        let mut rest = TotalHotkeyAlpha::<T>::take(old, netuid);
        for (coldkey, stake) in held {
            Self::credit_stake(new, &coldkey, netuid, stake);
            StakingHotkeys::<T>::mutate(coldkey, |hotkeys| registration::add(hotkeys, new));
            rest = rest.saturating_sub(stake);
        }
        Self::credit_stakers(new, netuid, rest);
        let last = TotalHotkeyAlphaLastEpoch::<T>::take(old, netuid);
        if last > 0 {
            TotalHotkeyAlphaLastEpoch::<T>::mutate(new, netuid, |sum| {
                *sum = sum.saturating_add(last)
            });
        }
        let dividends = AlphaDividendsPerSubnet::<T>::take(netuid, old);
        if dividends > 0 {
            AlphaDividendsPerSubnet::<T>::mutate(netuid, new, |sum| {
                *sum = sum.saturating_add(dividends)
            });
        }
    }

    /// What a hotkey has once and not per subnet; the old one is nobody's after.
    fn hand_over_ownership(coldkey: &AccountId32, swap: Swap<'_>) {
        let Swap { old, new } = swap;
        Owner::<T>::remove(old);
        OwnedHotkeys::<T>::mutate(coldkey, |hotkeys| hotkeys.retain(|hotkey| hotkey != old));
        let stakers: Vec<AccountId32> = StakingHotkeys::<T>::iter()
            .filter(|(_, hotkeys)| hotkeys.contains(old))
            .map(|(staker, _)| staker)
            .collect();
        for staker in stakers {
            StakingHotkeys::<T>::mutate(staker, |hotkeys| {
                hotkeys.retain(|hotkey| hotkey != old);
                registration::add(hotkeys, new);
            });
        }
        if Delegates::<T>::contains_key(old) {
            Delegates::<T>::insert(new, Delegates::<T>::take(old));
        }
        for kind in [
            RateLimitKey::LastTxBlock,
            RateLimitKey::LastTxBlockChildKeyTake,
            RateLimitKey::LastTxBlockDelegateTake,
        ] {
            let block = LastRateLimitedBlock::<T>::take(kind(old.clone()));
            if block > 0 {
                LastRateLimitedBlock::<T>::insert(kind(new.clone()), block);
            }
        }
    }
}

/// Puts the new hotkey in the place of the old one among these links.
fn rename(links: &mut [(u64, AccountId32)], swap: Swap<'_>) {
    for (_, hotkey) in links {
        if hotkey == swap.old {
            *hotkey = swap.new.clone();
        }
    }
}
