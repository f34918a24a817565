//! A hotkey in the place of another.

use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchResult;

use super::*;

/// Validator 20 of coldkey 2 with 200 TAO, of which others hold some; validator 30; miner 40. Nobody waits to swap.
fn on_subnet(test: impl FnOnce()) {
    let mut subnet = subnet();
    subnet.owner_hotkey = Some(account(20));
    subnet.neurons = vec![neuron(2, 200 * TAO), neuron(3, 100 * TAO), neuron(4, 0)];
    on_chain(config(vec![subnet]), || {
        let staked = SubtensorModule::add_stake(signed(5), account(20), NETUID, 50 * TAO);
        assert_ok!(staked);
        test();
    });
}

fn swap(coldkey: u8, old: u8, new: u8, netuid: Option<NetUid>) -> DispatchResult {
    SubtensorModule::swap_hotkey(signed(coldkey), account(old), account(new), netuid)
}

fn stake(hotkey: u8, coldkey: u8) -> u64 {
    SubtensorModule::stake_of(&account(hotkey), &account(coldkey), NETUID)
}

#[test]
fn everything_goes_along_and_the_swap_is_paid_for() {
    on_subnet(|| {
        assert_ok!(SubtensorModule::set_children(
            signed(3),
            account(30),
            NETUID,
            vec![(u64::MAX, account(20))],
        ));
        assert_ok!(SubtensorModule::serve_axon(
            signed(20),
            NETUID,
            1,
            0x0808_0404,
            9,
            4,
            0,
            0,
            0
        ));
        assert_ok!(SubtensorModule::root_register(signed(2), account(20)));
        go_to(10);
        let (held, nominated) = (stake(20, 2), stake(20, 5));
        let issued = TotalIssuance::<Runtime>::get();
        assert_ok!(swap(2, 20, 22, None));
        System::assert_last_event(
            Event::HotkeySwapped {
                coldkey: account(2),
                old_hotkey: account(20),
                new_hotkey: account(22),
            }
            .into(),
        );
        assert_eq!(TotalIssuance::<Runtime>::get(), issued - TAO / 10);
        assert_eq!((stake(22, 2), stake(22, 5)), (held, nominated));
        assert_eq!((stake(20, 2), stake(20, 5)), (0, 0));
        assert_eq!(Uids::<Runtime>::get(NETUID, account(22)), Some(0));
        assert_eq!(Uids::<Runtime>::get(0, account(22)), Some(0));
        assert_eq!(Uids::<Runtime>::get(NETUID, account(20)), None);
        assert!(Axons::<Runtime>::contains_key(NETUID, account(22)));
        assert_eq!(
            SubnetOwnerHotkey::<Runtime>::get(NETUID),
            account(22),
            "the owner's hotkey"
        );
        assert_eq!(
            ChildKeys::<Runtime>::get(account(30), NETUID),
            [(u64::MAX, account(22))]
        );
        assert_eq!(StakingHotkeys::<Runtime>::get(account(5)), [account(22)]);
        assert_eq!(OwnedHotkeys::<Runtime>::get(account(2)), [account(22)]);
        assert!(!Owner::<Runtime>::contains_key(account(20)));
        // The name is free again, for anybody.
        assert_ok!(SubtensorModule::burned_register(
            signed(6),
            NETUID,
            account(20)
        ));
    });
}

#[test]
fn a_swap_on_one_subnet_leaves_the_others() {
    on_subnet(|| {
        assert_ok!(SubtensorModule::root_register(signed(2), account(20)));
        assert_ok!(SubtensorModule::add_stake(
            signed(2),
            account(20),
            0,
            3 * TAO
        ));
        let issued = TotalIssuance::<Runtime>::get();
        assert_ok!(swap(2, 20, 22, Some(NETUID)));
        assert_eq!(TotalIssuance::<Runtime>::get(), issued - TAO / 1_000);
        assert_eq!(Uids::<Runtime>::get(NETUID, account(22)), Some(0));
        assert_eq!(Uids::<Runtime>::get(0, account(20)), Some(0));
        assert_eq!(
            SubtensorModule::stake_of(&account(20), &account(2), 0),
            3 * TAO
        );
        assert_eq!(Owner::<Runtime>::get(account(20)), account(2));
        assert_eq!(
            OwnedHotkeys::<Runtime>::get(account(2)),
            [account(20), account(22)]
        );
        // Not again so soon: by the chain's limit, nor when that is gone by the subnet's.
        let soon = Error::<Runtime>::HotKeySetTxRateLimitExceeded;
        assert_noop!(swap(2, 22, 23, Some(NETUID)), soon);
        TxRateLimit::<Runtime>::put(0);
        let soon = Error::<Runtime>::HotKeySwapOnSubnetIntervalNotPassed;
        assert_noop!(swap(2, 22, 23, Some(NETUID)), soon);
        System::set_block_number(36_002);
        assert_ok!(swap(2, 22, 23, Some(NETUID)));
    });
}

#[test]
fn each_rule_of_swapping_has_its_error() {
    on_subnet(|| {
        let check = |result: DispatchResult, expected: Error<Runtime>| {
            assert_eq!(result, Err(expected.into()));
        };
        check(swap(3, 20, 22, None), Error::NonAssociatedColdKey);
        check(swap(2, 99, 22, None), Error::NonAssociatedColdKey);
        check(swap(2, 20, 20, None), Error::NewHotKeyIsSameWithOld);
        // Another's hotkey is not taken over, registered or not.
        check(swap(2, 20, 30, None), Error::NonAssociatedColdKey);
        check(swap(2, 20, 22, Some(9)), Error::SubnetNotExists);
        assert_ok!(SubtensorModule::burned_register(
            signed(2),
            NETUID,
            account(22)
        ));
        check(
            swap(2, 20, 22, None),
            Error::HotKeyAlreadyRegisteredInSubNet,
        );
        check(
            swap(2, 20, 22, Some(NETUID)),
            Error::HotKeyAlreadyRegisteredInSubNet,
        );
        let all = Balances::free_balance(account(2));
        assert_ok!(Balances::transfer_allow_death(
            signed(2),
            account(3).into(),
            all - TAO / 20
        ));
        check(
            swap(2, 20, 23, None),
            Error::NotEnoughBalanceToPaySwapHotKey,
        );
    });
}
