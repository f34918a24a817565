//! How much stake a hotkey speaks for: its own, less what it lends, plus what it borrows.

use sp_runtime::AccountId32;

use super::*;

/// `proportion / (2^64 - 1)` of `stake`, with 32 fractional bits, rounded down twice as the chain does.
fn part(stake: u64, proportion: u64) -> u128 {
    let fraction = (u128::from(proportion) << 32) / u128::from(u64::MAX);
    u128::from(stake) * fraction
}

impl<T: Config> Pallet<T> {
    /// Stake on `pool` that counts for the hotkey on `netuid`, in rao (`get_inherited_for_hotkey_on_subnet` and
    /// `get_tao_inherited_for_hotkey_on_subnet`).
    pub(crate) fn inherited_stake(hotkey: &AccountId32, netuid: NetUid, pool: NetUid) -> u64 {
        let own = TotalHotkeyAlpha::<T>::get(hotkey, pool);
        let mut total = u128::from(own) << 32;
        for (proportion, _) in ChildKeys::<T>::get(hotkey, netuid) {
            total = total.saturating_sub(part(own, proportion));
        }
        for (proportion, parent) in ParentKeys::<T>::get(hotkey, netuid) {
            let stake = TotalHotkeyAlpha::<T>::get(parent, pool);
            total = total.saturating_add(part(stake, proportion));
        }
        u64::try_from(total >> 32).unwrap_or(u64::MAX)
    }

    /// What the hotkey weighs on a subnet in rao: stake there, and stake on root by `TaoWeight`; at most 2^63 - 1, where
    /// the chain's numbers end (`get_stake_weights_for_hotkey_on_subnet`).
    pub(crate) fn stake_weight(hotkey: &AccountId32, netuid: NetUid) -> u64 {
        let alpha = Self::inherited_stake(hotkey, netuid, netuid);
        let tao = Self::inherited_stake(hotkey, netuid, 0);
        let weight = (u128::from(TaoWeight::<T>::get()) << 32) / u128::from(u64::MAX);
        let counted = (u128::from(tao) * weight) >> 32;
        alpha
            .saturating_add(u64::try_from(counted).unwrap_or(u64::MAX))
            .min(i64::MAX as u64)
    }

    /// All stake on a hotkey, on every subnet, in rao.
    pub(crate) fn total_stake(hotkey: &AccountId32) -> u64 {
        TotalHotkeyAlpha::<T>::iter_prefix(hotkey)
            .fold(0, |sum, (_, stake)| sum.saturating_add(stake))
    }
}
