//! Whom a registration replaces when every UID is taken.

use alloc::vec::Vec;

use super::*;

/// How well a neuron is protected from replacement: the lowest goes first. Less emission, then older, then lower UID.
type Standing = (u64, u64, u16);

impl<T: Config> Pallet<T> {
    /// Which UID the next registration replaces: the lowest standing among those past their immunity, or among the
    /// immune when too few are past it. The owner's protected UIDs are never chosen.
    pub(super) fn neuron_to_prune(netuid: NetUid) -> Option<u16> {
        let protected = Self::protected_uids(netuid);
        let emission = Emission::<T>::get(netuid);
        let (mut immune, mut free): (Vec<Standing>, Vec<Standing>) = Default::default();
        for uid in (0..SubnetworkN::<T>::get(netuid)).filter(|uid| !protected.contains(uid)) {
            let registered = BlockAtRegistration::<T>::get(netuid, uid);
            let earned = emission.get(usize::from(uid)).copied().unwrap_or(0);
            let group = match Self::is_immune(netuid, uid) {
                true => &mut immune,
                false => &mut free,
            };
            group.push((earned, registered, uid));
        }
        let enough_free = free.len() > usize::from(MinNonImmuneUids::<T>::get(netuid));
        let lowest = |group: Vec<Standing>| group.into_iter().min().map(|(_, _, uid)| uid);
        if enough_free {
            lowest(free)
        } else {
            lowest(immune)
        }
    }

    /// Whether a neuron registered so short ago that it is spared.
    pub(super) fn is_immune(netuid: NetUid, uid: u16) -> bool {
        let registered = BlockAtRegistration::<T>::get(netuid, uid);
        let period = u64::from(ImmunityPeriod::<T>::get(netuid));
        Self::current_block().saturating_sub(registered) < period
    }

    /// The owner's hotkey and the owner's oldest other neurons, up to the limit.
    pub(super) fn protected_uids(netuid: NetUid) -> Vec<u16> {
        let owner = SubnetOwner::<T>::get(netuid);
        let mut owned: Vec<(u64, u16)> = OwnedHotkeys::<T>::get(owner)
            .iter()
            .filter_map(|hotkey| Uids::<T>::get(netuid, hotkey))
            .map(|uid| (BlockAtRegistration::<T>::get(netuid, uid), uid))
            .collect();
        owned.sort_unstable();
        let mut uids: Vec<u16> = Self::owner_uid(netuid).into_iter().collect();
        for (_, uid) in owned {
            if !uids.contains(&uid) {
                uids.push(uid);
            }
        }
        uids.truncate(ImmuneOwnerUidsLimit::<T>::get(netuid).into());
        uids
    }

    /// UID of the owner's hotkey, if it is registered.
    pub(in crate::subtensor) fn owner_uid(netuid: NetUid) -> Option<u16> {
        let hotkey = SubnetOwnerHotkey::<T>::try_get(netuid).ok()?;
        Uids::<T>::get(netuid, hotkey)
    }
}
