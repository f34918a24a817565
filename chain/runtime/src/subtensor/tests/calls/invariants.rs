//! What holds after every call.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

pub(super) fn check(place: &str) {
    conserved(place);
    for netuid in SubtensorModule::with_root() {
        seats(netuid, place);
        stakes(netuid, place);
    }
    families(place);
    removed(place);
}

/// TAO is free or in a pool, and what is issued is one of the two.
fn conserved(place: &str) {
    let free = Balances::total_issuance();
    let staked = TotalStake::<Runtime>::get();
    assert_eq!(TotalIssuance::<Runtime>::get(), free + staked, "{place}");
    let pools: u64 = SubnetTAO::<Runtime>::iter_values().sum();
    assert_eq!(staked, pools, "{place}");
}

/// Nothing of a subnet that is not there is left.
fn removed(place: &str) {
    let there = |netuid: NetUid| NetworksAdded::<Runtime>::contains_key(netuid);
    assert!(SubnetTAO::<Runtime>::iter_keys().all(there), "{place}");
    assert!(SubnetworkN::<Runtime>::iter_keys().all(there), "{place}");
    let staked_on = Alpha::<Runtime>::iter_keys().map(|(_, _, netuid)| netuid);
    assert!(staked_on.into_iter().all(there), "{place}");
    let seated_on = Uids::<Runtime>::iter_keys().map(|(netuid, _)| netuid);
    assert!(seated_on.into_iter().all(there), "{place}");
    let subnets = NetworksAdded::<Runtime>::iter_keys().count();
    assert_eq!(
        usize::from(TotalNetworks::<Runtime>::get()),
        subnets,
        "{place}"
    );
}

/// UIDs and hotkeys name each other, and every column has an entry per UID.
fn seats(netuid: NetUid, place: &str) {
    let n = SubnetworkN::<Runtime>::get(netuid);
    assert!(n <= MaxAllowedUids::<Runtime>::get(netuid), "{place}");
    let uids: BTreeMap<AccountId32, u16> = Uids::<Runtime>::iter_prefix(netuid).collect();
    let keys: BTreeMap<u16, AccountId32> = Keys::<Runtime>::iter_prefix(netuid).collect();
    assert_eq!((uids.len(), keys.len()), (n.into(), n.into()), "{place}");
    for uid in 0..n {
        let hotkey = &keys[&uid];
        assert_eq!(uids[hotkey], uid, "{place}");
        assert!(IsNetworkMember::<Runtime>::get(hotkey, netuid), "{place}");
        assert!(Owner::<Runtime>::contains_key(hotkey), "{place}");
    }
    let lengths = [
        Active::<Runtime>::get(netuid).len(),
        Emission::<Runtime>::get(netuid).len(),
        Consensus::<Runtime>::get(netuid).len(),
        Incentive::<Runtime>::get(netuid).len(),
        Dividends::<Runtime>::get(netuid).len(),
        ValidatorTrust::<Runtime>::get(netuid).len(),
        ValidatorPermit::<Runtime>::get(netuid).len(),
        StakeWeight::<Runtime>::get(netuid).len(),
        LastUpdate::<Runtime>::get(netuid).len(),
    ];
    assert_eq!(lengths, [usize::from(n); 9], "{place}");
    for rows in [
        Weights::<Runtime>::iter_prefix(netuid).collect::<Vec<_>>(),
        Bonds::<Runtime>::iter_prefix(netuid).collect(),
    ] {
        for (uid, row) in rows {
            let targets: BTreeSet<u16> = row.iter().map(|(target, _)| *target).collect();
            assert!(uid < n && targets.len() == row.len(), "{place}");
            assert!(targets.last().is_none_or(|last| *last < n), "{place}");
        }
    }
}

/// All alpha that is staked or waits for an epoch has been issued, and is backed; nobody's shares are worth more than
/// all of them.
fn stakes(netuid: NetUid, place: &str) {
    let mut held = 0_u64;
    for (hotkey, _) in Owner::<Runtime>::iter() {
        let total = TotalHotkeyAlpha::<Runtime>::get(&hotkey, netuid);
        let parts: u64 = Alpha::<Runtime>::iter_prefix((&hotkey,))
            .filter(|((_, on), _)| *on == netuid)
            .map(|((coldkey, _), _)| SubtensorModule::stake_of(&hotkey, &coldkey, netuid))
            .sum();
        assert!(parts <= total, "{parts} of {total}, {place}");
        held += total;
    }
    let pending = PendingServerEmission::<Runtime>::get(netuid)
        + PendingValidatorEmission::<Runtime>::get(netuid)
        + PendingOwnerCut::<Runtime>::get(netuid);
    let issued = SubnetAlphaOut::<Runtime>::get(netuid);
    assert!(
        held + pending <= issued,
        "{held} + {pending} of {issued} on {netuid}, {place}"
    );
    let pool = SubnetTAO::<Runtime>::get(netuid);
    assert!(
        issued <= pool,
        "{issued} alpha for {pool} TAO on {netuid}, {place}"
    );
}

/// Parents and children name each other, and nobody lends more than it has.
fn families(place: &str) {
    let mut children = BTreeSet::new();
    for (parent, netuid, links) in ChildKeys::<Runtime>::iter() {
        let lent: u128 = links.iter().map(|(part, _)| u128::from(*part)).sum();
        assert!(lent <= u64::MAX.into() && !links.is_empty(), "{place}");
        children.extend(
            links
                .into_iter()
                .map(|(part, child)| (netuid, parent.clone(), child, part)),
        );
    }
    let mut parents = BTreeSet::new();
    for (child, netuid, links) in ParentKeys::<Runtime>::iter() {
        parents.extend(
            links
                .into_iter()
                .map(|(part, parent)| (netuid, parent, child.clone(), part)),
        );
    }
    assert_eq!(children, parents, "{place}");
}
