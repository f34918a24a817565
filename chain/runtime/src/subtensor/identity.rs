//! Say who one is.

use frame_support::ensure;
use sp_runtime::{AccountId32, DispatchResult};

use super::*;

impl<T: Config> Pallet<T> {
    /// Sets how a coldkey presents itself that has a hotkey on some subnet (`do_set_identity`).
    pub(super) fn do_set_identity(
        coldkey: AccountId32,
        identity: ChainIdentityV2,
    ) -> DispatchResult {
        let hotkeys = OwnedHotkeys::<T>::get(&coldkey);
        let registered =
            |hotkey: &AccountId32| IsNetworkMember::<T>::iter_prefix(hotkey).any(|(_, is)| is);
        ensure!(
            hotkeys.iter().any(registered),
            Error::<T>::HotKeyNotRegisteredInNetwork
        );
        ensure!(identity.fits(), Error::<T>::InvalidIdentity);
        IdentitiesV2::<T>::insert(&coldkey, identity);
        Self::deposit_event(Event::ChainIdentitySet(coldkey));
        Ok(())
    }

    /// Sets how a subnet presents itself; for its owner (`do_set_subnet_identity`).
    pub(super) fn do_set_subnet_identity(
        coldkey: &AccountId32,
        netuid: NetUid,
        identity: SubnetIdentityV3,
    ) -> DispatchResult {
        ensure!(
            SubnetOwner::<T>::try_get(netuid).as_ref() == Ok(coldkey),
            Error::<T>::NotSubnetOwner
        );
        ensure!(identity.fits(), Error::<T>::InvalidIdentity);
        SubnetIdentitiesV3::<T>::insert(netuid, identity);
        Self::deposit_event(Event::SubnetIdentitySet(netuid));
        Ok(())
    }
}
