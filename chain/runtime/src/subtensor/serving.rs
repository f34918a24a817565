//! Announce where neurons are reached.

use frame_support::ensure;
use sp_runtime::{AccountId32, DispatchResult};

use super::*;

/// 127.0.0.1 as an integer.
const IPV4_LOOPBACK: u128 = 0x7f00_0001;
/// ::1 as an integer.
const IPV6_LOOPBACK: u128 = 1;

impl<T: Config> Pallet<T> {
    /// Stores the axon of `hotkey`.
    pub(super) fn do_serve_axon(
        hotkey: AccountId32,
        netuid: NetUid,
        axon: AxonInfo,
    ) -> DispatchResult {
        Self::check_axon(&hotkey, netuid, axon.ip, axon.ip_type, axon.port)?;
        Axons::<T>::insert(netuid, &hotkey, axon);
        Self::deposit_event(Event::AxonServed(netuid, hotkey));
        Ok(())
    }

    /// Whether `hotkey` may announce this address now.
    pub(super) fn check_axon(
        hotkey: &AccountId32,
        netuid: NetUid,
        ip: u128,
        ip_type: u8,
        port: u16,
    ) -> Result<(), Error<T>> {
        ensure!(
            Uids::<T>::contains_key(netuid, hotkey),
            Error::<T>::HotKeyNotRegisteredInNetwork
        );
        ensure!(matches!(ip_type, 4 | 6), Error::<T>::InvalidIpType);
        let valid = match ip_type {
            4 => ip < u128::from(u32::MAX) && (ip != IPV4_LOOPBACK || LoopbackAxons::<T>::get()),
            _ => ip != u128::MAX && (ip != IPV6_LOOPBACK || LoopbackAxons::<T>::get()),
        };
        ensure!(valid, Error::<T>::InvalidIpAddress);
        let limit = ServingRateLimit::<T>::get(netuid);
        let last = Axons::<T>::get(netuid, hotkey).map_or(0, |axon| axon.block);
        ensure!(
            limit == 0 || last == 0 || Self::current_block().saturating_sub(last) >= limit,
            Error::<T>::ServingRateLimitExceeded
        );
        ensure!(port != 0, Error::<T>::InvalidPort);
        Ok(())
    }
}
