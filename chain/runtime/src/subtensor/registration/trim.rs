//! Make a subnet smaller.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use codec::{FullCodec, FullEncode};
use frame_support::ensure;
use sp_runtime::DispatchResult;

use super::*;

/// Largest part of the UIDs that may be immune when a subnet is trimmed, in percent.
const MOST_IMMUNE: u32 = 80;

impl<T: Config> Pallet<T> {
    /// Lowers `MaxAllowedUids` and removes those who earn least until the rest fits; the immune and the owner's protected
    /// neurons stay. UIDs close up in order (`trim_to_max_allowed_uids`).
    pub fn trim(netuid: NetUid, most: u16) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        let allowed = MinAllowedUids::<T>::get(netuid)..=MaxAllowedUids::<T>::get(netuid);
        ensure!(allowed.contains(&most), Error::<T>::InvalidValue);
        let n = SubnetworkN::<T>::get(netuid);
        if n > most {
            let removed = Self::choose_to_trim(netuid, n, most)?;
            Self::remove_uids(netuid, n, &removed);
        }
        MaxAllowedUids::<T>::insert(netuid, most);
        Ok(())
    }

    fn choose_to_trim(netuid: NetUid, n: u16, most: u16) -> Result<BTreeSet<u16>, Error<T>> {
        let protected = Self::protected_uids(netuid);
        let stays = |uid: &u16| protected.contains(uid) || Self::is_immune(netuid, *uid);
        let staying = (0..n).filter(stays).count();
        ensure!(
            staying as u32 * 100 < u32::from(most) * MOST_IMMUNE,
            Error::<T>::TrimmingWouldExceedMaxImmunePercentage
        );
        let emission = Emission::<T>::get(netuid);
        let mut candidates: Vec<(u64, core::cmp::Reverse<u16>)> = (0..n)
            .filter(|uid| !stays(uid))
            .map(|uid| {
                let earned = emission.get(usize::from(uid)).copied().unwrap_or(0);
                (earned, core::cmp::Reverse(uid))
            })
            .collect();
        candidates.sort_unstable();
        Ok(candidates
            .into_iter()
            .take(usize::from(n - most))
            .map(|(_, uid)| uid.0)
            .collect())
    }

    fn remove_uids(netuid: NetUid, n: u16, removed: &BTreeSet<u16>) {
        for uid in removed {
            let hotkey = Keys::<T>::take(netuid, uid);
            Uids::<T>::remove(netuid, &hotkey);
            IsNetworkMember::<T>::remove(&hotkey, netuid);
            AlphaDividendsPerSubnet::<T>::remove(netuid, &hotkey);
            Axons::<T>::remove(netuid, &hotkey);
            NeuronCertificates::<T>::remove(netuid, &hotkey);
            Prometheus::<T>::remove(netuid, &hotkey);
            BlockAtRegistration::<T>::remove(netuid, uid);
            Weights::<T>::remove(netuid, uid);
            Bonds::<T>::remove(netuid, uid);
        }
        let moved: BTreeMap<u16, u16> = (0..n)
            .filter(|uid| !removed.contains(uid))
            .zip(0_u16..)
            .collect();
        retain::<_, Active<T>>(netuid, removed);
        retain::<_, Emission<T>>(netuid, removed);
        retain::<_, Consensus<T>>(netuid, removed);
        retain::<_, Incentive<T>>(netuid, removed);
        retain::<_, Dividends<T>>(netuid, removed);
        retain::<_, ValidatorTrust<T>>(netuid, removed);
        retain::<_, ValidatorPermit<T>>(netuid, removed);
        retain::<_, StakeWeight<T>>(netuid, removed);
        retain::<_, LastUpdate<T>>(netuid, removed);
        for (old, new) in &moved {
            let hotkey = Keys::<T>::take(netuid, old);
            let block = BlockAtRegistration::<T>::take(netuid, old);
            let weights = renumber(Weights::<T>::take(netuid, old), &moved);
            let bonds = renumber(Bonds::<T>::take(netuid, old), &moved);
            Uids::<T>::insert(netuid, &hotkey, new);
            Keys::<T>::insert(netuid, new, hotkey);
            BlockAtRegistration::<T>::insert(netuid, new, block);
            if !weights.is_empty() {
                Weights::<T>::insert(netuid, new, weights);
            }
            if !bonds.is_empty() {
                Bonds::<T>::insert(netuid, new, bonds);
            }
        }
        SubnetworkN::<T>::insert(netuid, n.saturating_sub(removed.len() as u16));
    }
}

/// Leaves the entries of these UIDs out of a vector by UID.
fn retain<V, S>(netuid: NetUid, removed: &BTreeSet<u16>)
where
    V: FullCodec,
    S: frame_support::storage::StorageMap<NetUid, Vec<V>, Query = Vec<V>>,
    Vec<V>: FullEncode,
{
    let kept: Vec<V> = S::get(netuid)
        .into_iter()
        .zip(0_u16..)
        .filter_map(|(value, uid)| (!removed.contains(&uid)).then_some(value))
        .collect();
    S::insert(netuid, kept);
}

/// The row with the UIDs that there are now.
fn renumber(row: Vec<(u16, u16)>, moved: &BTreeMap<u16, u16>) -> Vec<(u16, u16)> {
    row.into_iter()
        .filter_map(|(uid, value)| Some((*moved.get(&uid)?, value)))
        .collect()
}
