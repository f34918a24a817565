//! Borrowed stake, root, takes, and stake that moves.

use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchResult;

use super::*;

/// Hotkey 20 (200 TAO, coldkey 2) and hotkey 30 (100 TAO, coldkey 3).
fn on_subnet(test: impl FnOnce()) {
    let mut subnet = subnet();
    subnet.neurons = vec![neuron(2, 200 * TAO), neuron(3, 100 * TAO), neuron(4, 0)];
    on_chain(config(vec![subnet]), test);
}

fn set_children(coldkey: u8, hotkey: u8, children: &[(u64, u8)]) -> DispatchResult {
    let children = children
        .iter()
        .map(|(part, child)| (*part, account(*child)))
        .collect();
    SubtensorModule::set_children(signed(coldkey), account(hotkey), NETUID, children)
}

#[test]
fn a_parents_stake_votes_through_its_child_from_the_next_epoch() {
    on_subnet(|| {
        let half = u64::MAX / 2;
        assert_ok!(set_children(2, 20, &[(half, 30)]));
        assert_eq!(ChildKeys::<Runtime>::get(account(20), NETUID), []);
        go_to(10);
        assert_eq!(
            ChildKeys::<Runtime>::get(account(20), NETUID),
            [(half, account(30))]
        );
        assert_eq!(
            ParentKeys::<Runtime>::get(account(30), NETUID),
            [(half, account(20))]
        );
        let own = |hotkey| TotalHotkeyAlpha::<Runtime>::get(account(hotkey), NETUID);
        let counted = |hotkey| SubtensorModule::stake_weight(&account(hotkey), NETUID);
        assert!(counted(20).abs_diff(own(20) / 2) <= 1_000);
        assert!(counted(30).abs_diff(own(30) + own(20) / 2) <= 1_000);
        let sum = own(20) + own(30);
        assert!(sum.abs_diff(counted(20) + counted(30)) <= 2);
        // The next epoch pays the parent for what its stake earned, less the child's take.
        let before = (own(20), own(30));
        go_to(20);
        let earned = (own(20) - before.0, own(30) - before.1);
        assert!(earned.0 > earned.1, "{earned:?}");
        assert_ok!(SubtensorModule::set_childkey_take(
            signed(3),
            account(30),
            NETUID,
            11_796
        ));
        let before = (own(20), own(30));
        go_to(30);
        let taken = (own(20) - before.0, own(30) - before.1);
        assert!(
            taken.0 < earned.0 && taken.1 > earned.1,
            "{taken:?} after {earned:?}"
        );
        // Revoked: after the rate limit, and again with an epoch.
        assert_noop!(
            set_children(2, 20, &[]),
            Error::<Runtime>::TxRateLimitExceeded
        );
        go_to(151);
        assert_ok!(set_children(2, 20, &[]));
        go_to(160);
        assert_eq!(ParentKeys::<Runtime>::iter().count(), 0);
        assert_eq!(ChildKeys::<Runtime>::iter().count(), 0);
    });
}

#[test]
fn each_rule_of_families_has_its_error() {
    on_subnet(|| {
        let check = |result: DispatchResult, expected: Error<Runtime>| {
            assert_eq!(result, Err(expected.into()));
        };
        check(set_children(3, 20, &[(1, 30)]), Error::NonAssociatedColdKey);
        check(set_children(2, 20, &[(1, 20)]), Error::InvalidChild);
        check(
            set_children(2, 20, &[(1, 30), (1, 30)]),
            Error::DuplicateChild,
        );
        let whole = u64::MAX;
        check(
            set_children(2, 20, &[(whole, 30), (1, 40)]),
            Error::ProportionOverflow,
        );
        let many: Vec<(u64, u8)> = (50..56).map(|child| (1, child)).collect();
        check(set_children(2, 20, &many), Error::TooManyChildren);
        check(
            set_children(4, 40, &[(1, 30)]),
            Error::NotEnoughStakeToSetChildkeys,
        );
        assert_ok!(set_children(2, 20, &[(1, 30)]));
        check(set_children(2, 20, &[(1, 40)]), Error::TxRateLimitExceeded);
        go_to(10);
        check(
            set_children(3, 30, &[(1, 20)]),
            Error::ChildParentInconsistency,
        );
    });
}

#[test]
fn stake_on_root_votes_by_its_weight() {
    on_subnet(|| {
        assert_ok!(SubtensorModule::root_register(signed(4), account(40)));
        let again = SubtensorModule::root_register(signed(4), account(41));
        assert_eq!(
            again,
            Err(Error::<Runtime>::TooManyRegistrationsThisBlock.into())
        );
        go_to(2);
        assert_ok!(SubtensorModule::root_register(signed(5), account(50)));
        assert_eq!(Uids::<Runtime>::get(0, account(50)), Some(1));
        assert_ok!(SubtensorModule::add_stake(
            signed(4),
            account(40),
            0,
            100 * TAO
        ));
        let expected = 100 * TAO / 10_000 * 527;
        let counted = SubtensorModule::stake_weight(&account(40), NETUID);
        assert!(counted.abs_diff(expected) < TAO / 10, "{counted}");
        assert!(SubnetTAO::<Runtime>::get(0) == 100 * TAO);
        assert_ok!(SubtensorModule::unstake_all(signed(4), account(40)));
        assert_eq!(Balances::free_balance(account(4)), 1_000 * TAO);
    });
}

#[test]
fn a_take_rises_slowly_and_falls_at_once() {
    on_subnet(|| {
        let up = |take| SubtensorModule::increase_take(signed(2), account(20), take);
        let down = |take| SubtensorModule::decrease_take(signed(2), account(20), take);
        assert_ok!(down(5_000));
        assert_noop!(down(5_000), Error::<Runtime>::DelegateTakeTooLow);
        assert_noop!(up(11_797), Error::<Runtime>::DelegateTakeTooHigh);
        assert_noop!(up(6_000), Error::<Runtime>::DelegateTxRateLimitExceeded);
        TxDelegateTakeRateLimit::<Runtime>::put(3);
        go_to(5);
        assert_ok!(up(6_000));
        assert_eq!(Delegates::<Runtime>::get(account(20)), 6_000);
        let foreign = SubtensorModule::decrease_take(signed(3), account(20), 1);
        assert_eq!(foreign, Err(Error::<Runtime>::NonAssociatedColdKey.into()));
    });
}

#[test]
fn stake_moves_between_hotkeys_coldkeys_and_subnets_and_none_is_lost() {
    let subnets = [1, 2].map(|netuid| SubnetGenesis {
        netuid,
        neurons: vec![neuron(2, 200 * TAO), neuron(3, 100 * TAO)],
        ..subnet()
    });
    on_chain(config(subnets.to_vec()), || {
        let stake = |hotkey, coldkey, netuid| {
            SubtensorModule::stake_of(&account(hotkey), &account(coldkey), netuid)
        };
        let issued = TotalIssuance::<Runtime>::get();
        let moved =
            SubtensorModule::move_stake(signed(2), account(20), account(30), 1, 1, 50 * TAO);
        assert_ok!(moved);
        assert_eq!((stake(20, 2, 1), stake(30, 2, 1)), (150 * TAO, 50 * TAO));
        let swapped = SubtensorModule::swap_stake(signed(2), account(20), 1, 2, 50 * TAO);
        assert_ok!(swapped);
        assert_eq!((stake(20, 2, 1), stake(20, 2, 2)), (100 * TAO, 250 * TAO));
        let give = |amount| {
            SubtensorModule::transfer_stake(signed(2), account(7), account(20), 1, 1, amount)
        };
        assert_ok!(give(30 * TAO));
        assert_eq!((stake(20, 2, 1), stake(20, 7, 1)), (70 * TAO, 30 * TAO));
        TransferToggle::<Runtime>::insert(1, false);
        assert_noop!(give(TAO * 3), Error::<Runtime>::TransferDisallowed);
        let limit =
            SubtensorModule::add_stake_limit(signed(5), account(20), 1, TAO, TAO - 1, false);
        assert_eq!(limit, Err(Error::<Runtime>::SlippageTooHigh.into()));
        assert_eq!(TotalIssuance::<Runtime>::get(), issued);
        // And a TAO that the first block minted.
        assert_eq!(SubnetTAO::<Runtime>::get(2), 351 * TAO);
        assert_ok!(SubtensorModule::unstake_all_alpha(signed(7), account(20)));
        assert_eq!((stake(20, 7, 1), stake(20, 7, 0)), (0, 30 * TAO));
    });
}
