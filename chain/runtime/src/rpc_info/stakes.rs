//! Stake as clients list it.

use alloc::{collections::BTreeMap, vec::Vec};
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

/// How much of a stake can be taken back, in rao: all of it, as nothing is locked.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[allow(missing_docs)]
pub struct StakeAvailability {
    pub total: Compact<u64>,
    pub locked: Compact<u64>,
    pub available: Compact<u64>,
}

/// Stake by coldkey and subnet.
pub type StakeAvailabilities = BTreeMap<AccountId32, BTreeMap<NetUid, StakeAvailability>>;

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
        let netuids = Self::with_root();
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

    /// What each coldkey can take back on each of these subnets, or on all where it has stake.
    pub fn get_stake_availability(
        coldkeys: Vec<AccountId32>,
        netuids: Option<Vec<NetUid>>,
    ) -> StakeAvailabilities {
        let asked = netuids.clone().unwrap_or_else(Self::with_root);
        let available = |coldkey: &AccountId32| {
            let hotkeys = StakingHotkeys::<T>::get(coldkey);
            let stake_on = |netuid: NetUid| {
                hotkeys.iter().fold(0_u64, |sum, hotkey| {
                    sum.saturating_add(Self::stake_of(hotkey, coldkey, netuid))
                })
            };
            asked
                .iter()
                .map(|netuid| (*netuid, stake_on(*netuid)))
                .filter(|(_, stake)| netuids.is_some() || *stake > 0)
                .map(|(netuid, stake)| {
                    let stake = Compact(stake);
                    let availability = StakeAvailability {
                        total: stake,
                        locked: Compact(0),
                        available: stake,
                    };
                    (netuid, availability)
                })
                .collect()
        };
        coldkeys
            .into_iter()
            .map(|coldkey| {
                let subnets = available(&coldkey);
                (coldkey, subnets)
            })
            .collect()
    }
}
