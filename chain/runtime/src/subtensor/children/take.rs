//! What a child keeps of what it earns with borrowed stake.

use frame_support::ensure;
use sp_runtime::{AccountId32, DispatchResult};

use super::*;

impl<T: Config> Pallet<T> {
    /// Sets a child hotkey's take (`do_set_childkey_take`). Lowering it is always allowed.
    pub(in crate::subtensor) fn do_set_childkey_take(
        coldkey: &AccountId32,
        hotkey: AccountId32,
        netuid: NetUid,
        take: u16,
    ) -> DispatchResult {
        ensure!(
            Owner::<T>::try_get(&hotkey).as_ref() == Ok(coldkey),
            Error::<T>::NonAssociatedColdKey
        );
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        let allowed = Self::least_childkey_take(netuid)..=MaxChildkeyTake::<T>::get();
        ensure!(allowed.contains(&take), Error::<T>::InvalidChildkeyTake);
        let kind = TransactionType::SetChildkeyTake;
        ensure!(
            take <= Self::childkey_take(&hotkey, netuid) || kind.passes::<T>(&hotkey, netuid),
            Error::<T>::TxChildkeyTakeRateLimitExceeded
        );
        kind.record::<T>(&hotkey, netuid);
        ChildkeyTake::<T>::insert(&hotkey, netuid, take);
        Self::deposit_event(Event::ChildKeyTakeSet(hotkey, take));
        Ok(())
    }

    /// A child hotkey's take, out of 65535.
    pub(in crate::subtensor) fn childkey_take(hotkey: &AccountId32, netuid: NetUid) -> u16 {
        ChildkeyTake::<T>::get(hotkey, netuid).max(Self::least_childkey_take(netuid))
    }

    /// The smallest take that the chain and the subnet allow, out of 65535.
    pub(crate) fn least_childkey_take(netuid: NetUid) -> u16 {
        MinChildkeyTake::<T>::get().max(MinChildkeyTakePerSubnet::<T>::get(netuid))
    }
}
