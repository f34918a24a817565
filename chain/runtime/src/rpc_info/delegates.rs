//! Hotkeys that others stake on.

use alloc::{collections::BTreeMap, vec::Vec};
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;
use sp_runtime::AccountId32;

use crate::subtensor::*;

/// Blocks per day, at 12 seconds each.
const BLOCKS_PER_DAY: u64 = 7_200;

/// Stakes by subnet: (subnet, rao).
type Stakes = Vec<(Compact<u16>, Compact<u64>)>;

/// A hotkey that others stake on. Shares are out of 65535, amounts in rao.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[allow(missing_docs)]
pub struct DelegateInfo {
    pub delegate_ss58: AccountId32,
    pub take: Compact<u16>,
    pub nominators: Vec<(AccountId32, Stakes)>,
    pub owner_ss58: AccountId32,
    pub registrations: Vec<Compact<u16>>,
    pub validator_permits: Vec<Compact<u16>>,
    pub return_per_1000: Compact<u64>,
    pub total_daily_return: Compact<u64>,
}

/// A delegate, and what somebody staked on it: (subnet, rao).
pub type Delegated = (DelegateInfo, (Compact<u16>, Compact<u64>));

impl<T: Config> Pallet<T> {
    /// All delegates.
    pub fn get_delegates() -> Vec<DelegateInfo> {
        Delegates::<T>::iter_keys()
            .map(Self::delegate_info)
            .collect()
    }

    /// A delegate.
    pub fn get_delegate(hotkey: AccountId32) -> Option<DelegateInfo> {
        Delegates::<T>::contains_key(&hotkey).then(|| Self::delegate_info(hotkey))
    }

    /// The delegates that a coldkey staked on, and how much on each subnet.
    pub fn get_delegated(coldkey: AccountId32) -> Vec<Delegated> {
        let mut delegated = Vec::new();
        for hotkey in StakingHotkeys::<T>::get(&coldkey) {
            let Some(info) = Self::get_delegate(hotkey.clone()) else {
                continue;
            };
            for netuid in Self::with_root() {
                let stake = Self::stake_of(&hotkey, &coldkey, netuid);
                if stake > 0 {
                    delegated.push((info.clone(), (Compact(netuid), Compact(stake))));
                }
            }
        }
        delegated
    }

    fn delegate_info(hotkey: AccountId32) -> DelegateInfo {
        let mut nominators: BTreeMap<AccountId32, Stakes> = BTreeMap::new();
        for ((coldkey, netuid), _) in Alpha::<T>::iter_prefix((&hotkey,)) {
            let stake = Self::stake_of(&hotkey, &coldkey, netuid);
            let stakes = nominators.entry(coldkey).or_default();
            stakes.push((Compact(netuid), Compact(stake)));
        }
        let (mut registrations, mut permits, mut daily) = (Vec::new(), Vec::new(), 0_u64);
        for netuid in Self::with_root() {
            let Some(uid) = Uids::<T>::get(netuid, &hotkey) else {
                continue;
            };
            registrations.push(Compact(netuid));
            if ValidatorPermit::<T>::get(netuid).get(usize::from(uid)) == Some(&true) {
                permits.push(Compact(netuid));
            }
            let emission = Emission::<T>::get(netuid).get(usize::from(uid)).copied();
            let epochs = BLOCKS_PER_DAY.checked_div(Tempo::<T>::get(netuid).into());
            let earned = emission.unwrap_or(0).saturating_mul(epochs.unwrap_or(0));
            daily = daily.saturating_add(earned);
        }
        let take = Delegates::<T>::get(&hotkey);
        let kept = u128::from(daily) * u128::from(u16::MAX - take) / u128::from(u16::MAX);
        let stake = u128::from(Self::total_stake(&hotkey));
        let per_1000 = (kept * 1_000 * u128::from(PRICE))
            .checked_div(stake)
            .unwrap_or(0);
        DelegateInfo {
            take: Compact(take),
            nominators: nominators.into_iter().collect(),
            owner_ss58: Owner::<T>::get(&hotkey),
            delegate_ss58: hotkey,
            registrations,
            validator_permits: permits,
            return_per_1000: Compact(u64::try_from(per_1000).unwrap_or(u64::MAX)),
            total_daily_return: Compact(daily),
        }
    }
}
