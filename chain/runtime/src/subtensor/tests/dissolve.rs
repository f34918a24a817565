//! Subnets that go.

use frame_support::{assert_noop, assert_ok};

use super::*;
use crate::commitments::{CommitmentInfo, Data};

const NEW: NetUid = 2;

/// Subnet 1 with a validator and no epoch soon, and a chain on which subnets may be registered at once, two at most.
fn on_subnet(test: impl FnOnce()) {
    let mut subnet = subnet();
    subnet.tempo = 1_000;
    subnet.neurons = vec![neuron(2, 100 * TAO)];
    on_chain(config(vec![subnet]), || {
        NetworkRateLimit::<Runtime>::put(0);
        NetworkMinLockCost::<Runtime>::put(20 * TAO);
        NetworkLastLockCost::<Runtime>::put(20 * TAO);
        NetworkImmunityPeriod::<Runtime>::put(50);
        SubnetLimit::<Runtime>::put(2);
        test();
    });
}

/// The keys under which the pallets that know subnets keep something.
fn keys() -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    for pallet in [&b"SubtensorModule"[..], b"Commitments"] {
        let prefix = sp_io::hashing::twox_128(pallet);
        let mut next = sp_io::storage::next_key(&prefix);
        while let Some(key) = next.filter(|key| key.starts_with(&prefix)) {
            next = sp_io::storage::next_key(&key);
            keys.push(key);
        }
    }
    keys
}

/// Subnet 2 of coldkey 3 with all that a subnet may have.
fn live_a_little() {
    assert_ok!(SubtensorModule::register_network(signed(3), account(30)));
    assert_ok!(SubtensorModule::start_call(signed(3), NEW));
    assert_ok!(SubtensorModule::burned_register(
        signed(4),
        NEW,
        account(40)
    ));
    for (coldkey, hotkey) in [(4, 40), (5, 30)] {
        assert_ok!(SubtensorModule::add_stake(
            signed(coldkey),
            account(hotkey),
            NEW,
            70 * TAO
        ));
    }
    let children = vec![(u64::MAX, account(30))];
    assert_ok!(SubtensorModule::set_children(
        signed(4),
        account(40),
        NEW,
        children
    ));
    assert_ok!(SubtensorModule::set_coldkey_auto_stake_hotkey(
        signed(4),
        NEW,
        account(40)
    ));
    let info = CommitmentInfo {
        fields: vec![Data::Raw(vec![1; 32].try_into().unwrap())]
            .try_into()
            .unwrap(),
    };
    assert_ok!(crate::Commitments::set_commitment(
        signed(30),
        NEW,
        Box::new(info)
    ));
    let epoch = u32::from(Tempo::<Runtime>::get(NEW)) + System::block_number() + 2;
    assert_ok!(SubtensorModule::set_weights(
        signed(30),
        NEW,
        vec![0],
        vec![1],
        0
    ));
    go_to(epoch);
}

#[test]
fn whoever_staked_gets_all_of_the_tao_by_stake_and_nothing_stays() {
    on_subnet(|| {
        Tempo::<Runtime>::set(NEW, 10);
        WeightsSetRateLimit::<Runtime>::set(NEW, 0);
        let before = keys();
        live_a_little();
        let pool = SubnetTAO::<Runtime>::get(NEW);
        assert!(pool > 140 * TAO);
        let parts: Vec<u64> = (2..=5)
            .map(|coldkey| {
                [30, 40]
                    .map(|hotkey| {
                        SubtensorModule::stake_of(&account(hotkey), &account(coldkey), NEW)
                    })
                    .iter()
                    .sum()
            })
            .collect();
        let whole: u64 = parts.iter().sum();
        let free = |coldkey: u8| Balances::free_balance(account(coldkey));
        let had = [2, 3, 4, 5].map(free);
        let issued = TotalIssuance::<Runtime>::get();
        let owner = SubtensorModule::dissolve_network(signed(3), account(3), NEW);
        assert!(owner.is_err(), "only root removes subnets");
        assert_ok!(SubtensorModule::root_dissolve_network(
            RuntimeOrigin::root(),
            NEW
        ));
        System::assert_last_event(Event::NetworkRemoved(NEW).into());
        let mut paid = 0;
        for ((coldkey, had), part) in (2..).zip(had).zip(parts) {
            let got = free(coldkey) - had;
            let due = (u128::from(pool) * u128::from(part) / u128::from(whole)) as u64;
            assert!(got - due <= 1, "{coldkey} got {got} for {part} of {whole}");
            paid += got;
        }
        assert_eq!(paid, pool);
        assert_eq!(TotalIssuance::<Runtime>::get(), issued);
        assert_eq!(
            TotalStake::<Runtime>::get(),
            SubnetTAO::<Runtime>::get(NETUID)
        );
        // All that is left beyond what there was: whose the hotkeys are, when a subnet was last registered, and an
        // empty list.
        let rest: Vec<Vec<u8>> = keys()
            .into_iter()
            .filter(|key| !before.contains(key))
            .collect();
        let known = [
            "Owner",
            "OwnedHotkeys",
            "StakingHotkeys",
            "Delegates",
            "LastRateLimitedBlock",
            "TimelockedIndex",
        ]
        .map(|item| sp_io::hashing::twox_128(item.as_bytes()));
        for key in &rest {
            assert!(
                known.iter().any(|item| key[16..].starts_with(item)),
                "{} is left",
                hex::encode(key)
            );
        }
        assert!(crate::commitments::TimelockedIndex::<Runtime>::get().is_empty());
        let gone = || Error::<Runtime>::SubnetNotExists;
        assert_noop!(
            SubtensorModule::root_dissolve_network(RuntimeOrigin::root(), NEW),
            gone()
        );
        assert_noop!(
            SubtensorModule::root_dissolve_network(RuntimeOrigin::root(), 0),
            gone()
        );
    });
}

#[test]
fn a_new_subnet_takes_the_place_of_the_oldest_that_is_not_immune() {
    on_subnet(|| {
        go_to(30);
        assert_ok!(SubtensorModule::register_network(signed(3), account(30)));
        // Subnet 1 is immune until block 50, subnet 2 until block 80.
        let full = || Error::<Runtime>::SubnetLimitReached;
        assert_noop!(
            SubtensorModule::register_network(signed(4), account(40)),
            full()
        );
        assert_eq!(SubtensorModule::network_to_prune(), None);
        go_to(60);
        assert_eq!(SubtensorModule::network_to_prune(), Some(NETUID));
        let had = Balances::free_balance(account(2));
        assert_ok!(SubtensorModule::register_network(signed(4), account(40)));
        System::assert_has_event(Event::NetworkRemoved(NETUID).into());
        assert_eq!(SubnetOwner::<Runtime>::get(NETUID), account(4));
        assert_eq!(SubtensorModule::subnets(), [NETUID, NEW]);
        assert_eq!(TotalNetworks::<Runtime>::get(), 3);
        assert_eq!(SubnetworkN::<Runtime>::get(NETUID), 1);
        assert!(Balances::free_balance(account(2)) >= had + 100 * TAO);
        assert_eq!(NetworkRegisteredAt::<Runtime>::get(NETUID), 60);
        assert_eq!(FirstEmissionBlockNumber::<Runtime>::get(NETUID), None);
        // Both are immune now.
        assert_noop!(
            SubtensorModule::register_network(signed(5), account(50)),
            full()
        );
    });
}
