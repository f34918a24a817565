//! Who may set what, how often, and when it must stay as it is.
//!
//! An owner's change passes four gates: it comes from the subnet's coldkey, not too soon after the last one of its kind,
//! not in the blocks before an epoch (nor while an epoch out of turn is awaited), and for a subnet that exists. Root
//! passes the first two at once (`ensure_sn_owner_or_root_with_limits`, `ensure_admin_window_open`).

mod alpha;
mod rate_limits;
mod schedule;

use frame_support::ensure;
use frame_system::{ensure_signed, ensure_signed_or_root, pallet_prelude::OriginFor};
use sp_runtime::{AccountId32, DispatchError};

use super::*;
pub use rate_limits::TransactionType;

impl<T: Config> Pallet<T> {
    /// The subnet's owner, or nobody if the origin is root.
    pub fn ensure_subnet_owner_or_root(
        origin: OriginFor<T>,
        netuid: NetUid,
    ) -> Result<Option<AccountId32>, DispatchError> {
        match ensure_signed_or_root(origin)? {
            Some(who) if SubnetOwner::<T>::get(netuid) != who => Err(DispatchError::BadOrigin),
            who => Ok(who),
        }
    }

    /// The subnet's owner.
    pub fn ensure_subnet_owner(
        origin: OriginFor<T>,
        netuid: NetUid,
    ) -> Result<AccountId32, DispatchError> {
        let who = ensure_signed(origin)?;
        ensure!(
            SubnetOwner::<T>::get(netuid) == who,
            DispatchError::BadOrigin
        );
        Ok(who)
    }

    /// The subnet's owner, if the last act of this kind is long enough ago, or nobody if the origin is root.
    pub fn ensure_owner_within_limit(
        origin: OriginFor<T>,
        netuid: NetUid,
        kind: TransactionType,
    ) -> Result<Option<AccountId32>, DispatchError> {
        let owner = Self::ensure_subnet_owner_or_root(origin, netuid)?;
        if let Some(owner) = &owner {
            ensure!(
                kind.passes::<T>(owner, netuid),
                Error::<T>::TxRateLimitExceeded
            );
        }
        Ok(owner)
    }

    /// Whether the subnet's hyperparameters may change in this block.
    pub fn ensure_admin_window_open(netuid: NetUid) -> Result<(), DispatchError> {
        let window = AdminFreezeWindow::<T>::get().into();
        ensure!(
            !Self::schedule(netuid).is_frozen(Self::current_block(), window),
            Error::<T>::AdminActionProhibitedDuringWeightsWindow
        );
        Ok(())
    }

    /// Remembers that the owner did something of this kind now; nothing of what root did.
    pub fn record_owner(owner: Option<AccountId32>, netuid: NetUid, kind: TransactionType) {
        if let Some(owner) = owner {
            kind.record::<T>(&owner, netuid);
        }
    }
}
