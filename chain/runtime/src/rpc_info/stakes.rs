//! Stake as clients list it.

use alloc::vec::Vec;
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;
use sp_runtime::AccountId32;

use crate::{
    fixed::U64F64,
    subtensor::{Alpha, Config, Emission, NetUid, Pallet, StakingHotkeys, Uids},
};

/// What a coldkey has staked on a hotkey, in rao. Nothing is locked or drained on this chain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[allow(missing_docs)]
pub struct StakeInfo {
    pub hotkey: AccountId32,
    pub coldkey: AccountId32,
    pub netuid: Compact<u16>,
    pub stake: Compact<u64>,
    pub locked: Compact<u64>,
    pub emission: Compact<u64>,
    pub tao_emission: Compact<u64>,
    pub drain: Compact<u64>,
    pub is_registered: bool,
}

impl<T: Config> Pallet<T> {
    /// What a coldkey has staked on a hotkey.
    pub fn get_stake_info(hotkey: AccountId32, coldkey: AccountId32, netuid: NetUid) -> StakeInfo {
        let uid = Uids::<T>::get(netuid, &hotkey);
        let emission =
            uid.and_then(|uid| Emission::<T>::get(netuid).get(usize::from(uid)).copied());
        StakeInfo {
            stake: Compact(Self::stake_of(&hotkey, &coldkey, netuid)),
            hotkey,
            coldkey,
            netuid: Compact(netuid),
            locked: Compact(0),
            emission: Compact(emission.unwrap_or(0)),
            tao_emission: Compact(0),
            drain: Compact(0),
            is_registered: uid.is_some(),
        }
    }

    /// All that a coldkey has staked, by hotkey and subnet.
    pub fn get_stake_info_for_coldkey(coldkey: AccountId32) -> Vec<StakeInfo> {
        let netuids = Self::subnets();
        let mut stakes = Vec::new();
        for hotkey in StakingHotkeys::<T>::get(&coldkey) {
            for netuid in &netuids {
                if Alpha::<T>::get((&hotkey, &coldkey, netuid)) != U64F64::ZERO {
                    stakes.push(Self::get_stake_info(
                        hotkey.clone(),
                        coldkey.clone(),
                        *netuid,
                    ));
                }
            }
        }
        stakes
    }
}
