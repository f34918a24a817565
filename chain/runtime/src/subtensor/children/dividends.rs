//! Whose stake earned a hotkey's dividends.

use alloc::vec::Vec;
use sp_runtime::AccountId32;

use super::*;
use crate::subtensor::coinbase::share;

impl<T: Config> Pallet<T> {
    /// Divides what `hotkey` earned among it and its parents by the stake that each brought in; of a parent with another
    /// owner, the child keeps its take and `CKBurn` is burned. Every part is rounded down, and the hotkey gets what is
    /// left. Returns the parts and what is burned (`get_parent_child_dividends_distribution`).
    pub(in crate::subtensor) fn divide_among_parents(
        hotkey: &AccountId32,
        netuid: NetUid,
        dividend: u64,
    ) -> (Vec<(AccountId32, u64)>, u64) {
        let parents = ParentKeys::<T>::get(hotkey, netuid);
        if parents.is_empty() || dividend == 0 {
            return (Vec::from([(hotkey.clone(), dividend)]), 0);
        }
        let lent: u64 = ChildKeys::<T>::get(hotkey, netuid)
            .iter()
            .fold(0, |sum, (part, _)| sum.saturating_add(*part));
        let own = Self::contribution(hotkey, netuid, u64::MAX.saturating_sub(lent));
        let brought: Vec<(AccountId32, u128)> = parents
            .into_iter()
            .map(|(part, parent)| {
                let brought = Self::contribution(&parent, netuid, part);
                (parent, brought)
            })
            .collect();
        let all = brought
            .iter()
            .fold(own, |sum, (_, part)| sum.saturating_add(*part));

        let owner = Owner::<T>::get(hotkey);
        let take = Self::childkey_take(hotkey, netuid);
        let mut left = dividend;
        let mut burned = 0_u64;
        let mut parts = Vec::new();
        for (parent, contribution) in brought {
            let mut earned = share(dividend, contribution, all);
            if Owner::<T>::get(&parent) != owner {
                let burn = share(earned, CKBurn::<T>::get().into(), u64::MAX.into());
                let kept = share(earned, take.into(), u16::MAX.into());
                earned = earned.saturating_sub(burn).saturating_sub(kept);
                left = left.saturating_sub(burn);
                burned = burned.saturating_add(burn);
            }
            left = left.saturating_sub(earned);
            parts.push((parent, earned));
        }
        parts.push((hotkey.clone(), left));
        (parts, burned)
    }

    /// What `proportion / (2^64 - 1)` of a hotkey's stake weighs on the subnet.
    fn contribution(hotkey: &AccountId32, netuid: NetUid, proportion: u64) -> u128 {
        let alpha = u128::from(TotalHotkeyAlpha::<T>::get(hotkey, netuid));
        let tao = u128::from(TotalHotkeyAlpha::<T>::get(hotkey, 0));
        let weight = (u128::from(TaoWeight::<T>::get()) << 32) / u128::from(u64::MAX);
        let stake = alpha.saturating_add(tao.saturating_mul(weight) >> 32);
        let fraction = (u128::from(proportion) << 32) / u128::from(u64::MAX);
        stake.saturating_mul(fraction) >> 32
    }
}
