//! Hotkeys that lend their stake to others: parents to children (`staking/set_children.rs`).
//!
//! A parent chooses its children; the choice waits for the cooldown and for the subnet's next epoch. Both sides are kept,
//! `ChildKeys` and `ParentKeys`, and always say the same. No hotkey is its own child, or parent and child of the same.

mod dividends;
mod inherit;
mod take;

use alloc::{collections::BTreeSet, vec::Vec};
use frame_support::ensure;
use sp_runtime::{AccountId32, DispatchResult};

use super::*;

/// Most children of a hotkey.
const MOST_CHILDREN: usize = 5;

/// Links of a hotkey: (proportion times 2^64 - 1, the other hotkey).
type Links = Vec<(u64, AccountId32)>;

impl<T: Config> Pallet<T> {
    /// Chooses the children of a hotkey, none to revoke (`do_schedule_children`). Before the subnet is started the choice
    /// holds at once.
    pub(super) fn do_set_children(
        coldkey: &AccountId32,
        hotkey: AccountId32,
        netuid: NetUid,
        children: Links,
    ) -> DispatchResult {
        let kind = TransactionType::SetChildren;
        ensure!(
            kind.passes::<T>(&hotkey, netuid),
            Error::<T>::TxRateLimitExceeded
        );
        ensure!(
            netuid != 0,
            Error::<T>::RegistrationNotPermittedOnRootSubnet
        );
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            Owner::<T>::try_get(&hotkey).as_ref() == Ok(coldkey),
            Error::<T>::NonAssociatedColdKey
        );
        Self::check_children(&hotkey, netuid, &children)?;
        ensure!(
            children.is_empty()
                || Self::total_stake(&hotkey) >= StakeThreshold::<T>::get()
                || SubnetOwnerHotkey::<T>::try_get(netuid).as_ref() == Ok(&hotkey),
            Error::<T>::NotEnoughStakeToSetChildkeys
        );
        kind.record::<T>(&hotkey, netuid);
        if !SubtokenEnabled::<T>::get(netuid) {
            Self::apply_children(netuid, hotkey, children);
            return Ok(());
        }
        let from = Self::current_block().saturating_add(PendingChildKeyCooldown::<T>::get());
        PendingChildKeys::<T>::insert(netuid, &hotkey, (children.clone(), from));
        Self::deposit_event(Event::SetChildrenScheduled(hotkey, netuid, from, children));
        Ok(())
    }

    /// Whether a hotkey may have these children now.
    fn check_children(
        hotkey: &AccountId32,
        netuid: NetUid,
        children: &Links,
    ) -> Result<(), Error<T>> {
        let unique: BTreeSet<&AccountId32> = children.iter().map(|(_, child)| child).collect();
        ensure!(unique.len() == children.len(), Error::<T>::DuplicateChild);
        ensure!(!unique.contains(hotkey), Error::<T>::InvalidChild);
        ensure!(children.len() <= MOST_CHILDREN, Error::<T>::TooManyChildren);
        let total: u128 = children.iter().map(|(part, _)| u128::from(*part)).sum();
        ensure!(total <= u64::MAX.into(), Error::<T>::ProportionOverflow);
        let parents = ParentKeys::<T>::get(hotkey, netuid);
        ensure!(
            !parents.iter().any(|(_, parent)| unique.contains(parent)),
            Error::<T>::ChildParentInconsistency
        );
        Ok(())
    }

    /// Makes the choices hold whose cooldown is over; in the block of an epoch (`do_set_pending_children`).
    pub(super) fn apply_pending_children(netuid: NetUid) {
        let block = Self::current_block();
        let mut due: Vec<(AccountId32, Links)> = PendingChildKeys::<T>::iter_prefix(netuid)
            .filter(|(_, (_, from))| *from < block)
            .map(|(hotkey, (children, _))| (hotkey, children))
            .collect();
        due.sort();
        for (hotkey, children) in due {
            PendingChildKeys::<T>::remove(netuid, &hotkey);
            Self::apply_children(netuid, hotkey, children);
        }
    }

    /// Writes both sides; a choice that has become impossible is dropped.
    fn apply_children(netuid: NetUid, hotkey: AccountId32, children: Links) {
        if Self::check_children(&hotkey, netuid, &children).is_err() {
            return;
        }
        for (_, child) in ChildKeys::<T>::get(&hotkey, netuid) {
            Self::edit_parents(netuid, &child, |parents| {
                parents.retain(|(_, parent)| *parent != hotkey)
            });
        }
        for (part, child) in &children {
            Self::edit_parents(netuid, child, |parents| {
                parents.push((*part, hotkey.clone()))
            });
        }
        match children.is_empty() {
            true => ChildKeys::<T>::remove(&hotkey, netuid),
            false => ChildKeys::<T>::insert(&hotkey, netuid, &children),
        }
        Self::deposit_event(Event::SetChildren(hotkey, netuid, children));
    }

    fn edit_parents(netuid: NetUid, child: &AccountId32, edit: impl FnOnce(&mut Links)) {
        let mut parents = ParentKeys::<T>::get(child, netuid);
        edit(&mut parents);
        match parents.is_empty() {
            true => ParentKeys::<T>::remove(child, netuid),
            false => ParentKeys::<T>::insert(child, netuid, parents),
        }
    }
}
