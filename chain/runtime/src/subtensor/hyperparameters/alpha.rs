//! The bounds of the bonds' inertia.

use frame_support::ensure;
use sp_runtime::DispatchResult;

use super::*;

/// Smallest bound, out of 65535: a fortieth.
const LEAST_ALPHA: u16 = u16::MAX / 40;

impl<T: Config> Pallet<T> {
    /// Sets both bounds (`do_set_alpha_values`).
    pub fn put_alpha_values(netuid: NetUid, low: u16, high: u16) -> DispatchResult {
        ensure!(
            LiquidAlphaOn::<T>::get(netuid),
            Error::<T>::LiquidAlphaDisabled
        );
        ensure!(high >= LEAST_ALPHA, Error::<T>::AlphaHighTooLow);
        ensure!(
            (LEAST_ALPHA..=high).contains(&low),
            Error::<T>::AlphaLowOutOfRange
        );
        AlphaValues::<T>::insert(netuid, (low, high));
        Ok(())
    }
}
