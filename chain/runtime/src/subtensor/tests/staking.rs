//! Whose stake is worth what.

use frame_support::assert_ok;
use sp_runtime::DispatchResult;

use super::*;

fn add(coldkey: u8, hotkey: u8, amount: u64) -> DispatchResult {
    SubtensorModule::add_stake(signed(coldkey), account(hotkey), NETUID, amount)
}

fn remove(coldkey: u8, hotkey: u8, amount: u64) -> DispatchResult {
    SubtensorModule::remove_stake(signed(coldkey), account(hotkey), NETUID, amount)
}

fn stake(hotkey: u8, coldkey: u8) -> u64 {
    SubtensorModule::stake_of(&account(hotkey), &account(coldkey), NETUID)
}

fn with_neuron(test: impl FnOnce()) {
    let mut subnet = subnet();
    subnet.neurons = vec![neuron(2, 100 * TAO)];
    on_chain(config(vec![subnet]), test);
}

/// TAO is free or staked; alpha is staked, pending or lost to rounding, and backed by as much TAO.
fn assert_conserved() {
    let free = Balances::total_issuance();
    assert_eq!(
        TotalIssuance::<Runtime>::get(),
        free + TotalStake::<Runtime>::get()
    );
    assert_eq!(
        TotalStake::<Runtime>::get(),
        SubnetTAO::<Runtime>::get(NETUID)
    );
    assert_eq!(
        SubnetTAO::<Runtime>::get(NETUID),
        SubnetAlphaOut::<Runtime>::get(NETUID)
    );
}

#[test]
fn stake_goes_in_and_comes_out_one_to_one() {
    with_neuron(|| {
        assert_ok!(add(3, 20, 50 * TAO));
        assert_conserved();
        assert_eq!(Balances::free_balance(account(3)), 950 * TAO);
        assert_eq!((stake(20, 2), stake(20, 3)), (100 * TAO, 50 * TAO));
        assert_eq!(
            TotalHotkeyAlpha::<Runtime>::get(account(20), NETUID),
            150 * TAO
        );
        assert_eq!(StakingHotkeys::<Runtime>::get(account(3)), [account(20)]);
        assert_ok!(remove(3, 20, 20 * TAO));
        assert_conserved();
        assert_eq!((stake(20, 2), stake(20, 3)), (100 * TAO, 30 * TAO));
        assert_ok!(remove(3, 20, 30 * TAO));
        assert_eq!(Balances::free_balance(account(3)), 1_000 * TAO);
        assert!(!Alpha::<Runtime>::contains_key((
            account(20),
            account(3),
            NETUID
        )));
        assert_conserved();
    });
}

#[test]
fn pay_to_a_hotkey_is_shared_by_those_who_staked_on_it() {
    with_neuron(|| {
        assert_ok!(add(3, 20, 50 * TAO));
        SubtensorModule::issue_stake(NETUID, 15 * TAO);
        SubtensorModule::credit_stakers(&account(20), NETUID, 15 * TAO);
        assert_eq!((stake(20, 2), stake(20, 3)), (110 * TAO, 55 * TAO));
        // Who comes later pays the present price of a share.
        assert_ok!(add(4, 20, 11 * TAO));
        assert!(stake(20, 4).abs_diff(11 * TAO) <= 1);
        assert!(stake(20, 2).abs_diff(110 * TAO) <= 1);
        let total = TotalHotkeyAlpha::<Runtime>::get(account(20), NETUID);
        let parts = stake(20, 2) + stake(20, 3) + stake(20, 4);
        assert!(parts <= total && total - parts <= 3, "{parts} of {total}");
    });
}

#[test]
fn each_rule_has_its_error() {
    with_neuron(|| {
        let check = |result: DispatchResult, expected: Error<Runtime>| {
            assert_eq!(result, Err(expected.into()));
        };
        check(add(3, 20, 1_000), Error::AmountTooLow);
        check(add(3, 20, 1_001 * TAO), Error::NotEnoughBalanceToStake);
        check(add(3, 77, TAO), Error::HotKeyAccountNotExists);
        let elsewhere = SubtensorModule::add_stake(signed(3), account(20), 9, TAO);
        check(elsewhere, Error::SubnetNotExists);
        check(remove(3, 20, TAO), Error::NotEnoughStakeToWithdraw);
        SubtokenEnabled::<Runtime>::insert(NETUID, false);
        check(add(3, 20, TAO), Error::SubtokenDisabled);
    });
}

#[test]
fn too_small_a_stake_on_anothers_hotkey_is_paid_back() {
    with_neuron(|| {
        assert_ok!(add(3, 20, 5 * TAO));
        assert_ok!(add(4, 20, 50 * TAO));
        let least = |least: u64| {
            let origin = RuntimeOrigin::root();
            crate::AdminUtils::sudo_set_nominator_min_required_stake(origin, least)
        };
        assert_ok!(least(10 * TAO));
        // At once what is there, but never the owner's own.
        assert_eq!((stake(20, 3), stake(20, 4)), (0, 50 * TAO));
        assert_eq!(Balances::free_balance(account(3)), 1_000 * TAO);
        assert_ok!(remove(2, 20, 99 * TAO));
        assert_eq!(stake(20, 2), TAO);
        // Later what unstaking leaves.
        assert_ok!(remove(4, 20, 41 * TAO));
        assert_eq!(stake(20, 4), 0);
        assert_eq!(Balances::free_balance(account(4)), 1_000 * TAO);
        assert_conserved();
        assert_ok!(least(0));
        assert_ok!(add(3, 20, TAO));
        assert_eq!(stake(20, 3), TAO);
    });
}
