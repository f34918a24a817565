//! What a UID costs, and whose it was.

use frame_support::assert_ok;
use sp_runtime::DispatchResult;

use super::*;

fn register(coldkey: u8, hotkey: u8) -> DispatchResult {
    SubtensorModule::burned_register(signed(coldkey), NETUID, account(hotkey))
}

#[test]
fn a_registration_burns_the_price_and_raises_it_by_26_percent() {
    on_chain(config(vec![subnet()]), || {
        let issued = TotalIssuance::<Runtime>::get();
        let price = Burn::<Runtime>::get(NETUID);
        assert_ok!(register(2, 20));
        assert_eq!(Balances::free_balance(account(2)), 1_000 * TAO - price);
        assert_eq!(TotalIssuance::<Runtime>::get(), issued - price);
        assert_eq!(RAORecycledForRegistration::<Runtime>::get(NETUID), price);
        let raised = Burn::<Runtime>::get(NETUID);
        assert!(
            raised.abs_diff(price * 126 / 100) <= 1,
            "{price} became {raised}"
        );
        assert_eq!(Uids::<Runtime>::get(NETUID, account(20)), Some(0));
        assert_eq!(Keys::<Runtime>::get(NETUID, 0), account(20));
        assert_eq!(Owner::<Runtime>::get(account(20)), account(2));
        assert_eq!(LastUpdate::<Runtime>::get(NETUID), [1]);
        System::assert_last_event(Event::NeuronRegistered(NETUID, 0, account(20)).into());
    });
}

#[test]
fn the_price_halves_in_360_blocks_and_keeps_its_bounds() {
    on_chain(config(vec![subnet()]), || {
        let price = Burn::<Runtime>::get(NETUID);
        go_to(361);
        let halved = Burn::<Runtime>::get(NETUID);
        assert!(
            halved.abs_diff(price / 2) < price / 100_000,
            "{price} became {halved}"
        );
        MinBurn::<Runtime>::insert(NETUID, halved);
        go_to(400);
        assert_eq!(Burn::<Runtime>::get(NETUID), halved);
        MaxBurn::<Runtime>::insert(NETUID, halved);
        assert_ok!(register(2, 20));
        assert_eq!(Burn::<Runtime>::get(NETUID), halved);
    });
}

#[test]
fn each_rule_has_its_error() {
    on_chain(config(vec![subnet()]), || {
        let check = |result: DispatchResult, expected: Error<Runtime>| {
            assert_eq!(result, Err(expected.into()));
        };
        let register_on = |netuid| SubtensorModule::burned_register(signed(2), netuid, account(20));
        check(register_on(0), Error::RegistrationNotPermittedOnRootSubnet);
        check(register_on(7), Error::SubnetNotExists);
        check(register(99, 20), Error::NotEnoughBalanceToStake);
        assert_ok!(register(2, 20));
        check(register(2, 20), Error::HotKeyAlreadyRegisteredInSubNet);
        let limited = SubtensorModule::register_limit(signed(2), NETUID, account(21), TAO / 2);
        check(limited, Error::RegistrationPriceLimitExceeded);
        assert_ok!(
            SubtensorModule::register_network(signed(9), account(91))
                .map(|_| ())
                .or_else(|error| {
                    // A thousand TAO is the price of a subnet, and an account must be left.
                    assert_eq!(error, Error::<Runtime>::CannotAffordLockCost.into());
                    Ok::<(), sp_runtime::DispatchError>(())
                })
        );
        NetworkRegistrationAllowed::<Runtime>::insert(NETUID, false);
        check(register(2, 22), Error::SubNetRegistrationDisabled);
        NetworkRegistrationAllowed::<Runtime>::insert(NETUID, true);
        // Hotkey 20 is coldkey 2's, on whichever subnet.
        Uids::<Runtime>::remove(NETUID, account(20));
        check(register(3, 20), Error::NonAssociatedColdKey);
    });
}

#[test]
fn a_full_subnet_replaces_the_lowest_earner_past_its_immunity_and_forgets_it() {
    let mut subnet = subnet();
    subnet.max_allowed_uids = 3;
    subnet.neurons = vec![neuron(2, 100 * TAO), neuron(3, 0), neuron(4, 0)];
    on_chain(config(vec![subnet]), || {
        MinNonImmuneUids::<Runtime>::insert(NETUID, 0);
        assert_ok!(SubtensorModule::set_weights(
            signed(20),
            NETUID,
            vec![1, 2],
            vec![1, 2],
            0
        ));
        assert_ok!(SubtensorModule::serve_axon(
            signed(30),
            NETUID,
            1,
            0x0808_0808,
            80,
            4,
            0,
            0,
            0
        ));
        go_to(100);
        let emission = Emission::<Runtime>::get(NETUID);
        assert!(emission[1] < emission[2] && emission[1] > 0, "{emission:?}");
        assert_ok!(register(5, 50));
        assert_eq!(Uids::<Runtime>::get(NETUID, account(50)), Some(1));
        assert_eq!(Uids::<Runtime>::get(NETUID, account(30)), None);
        assert!(!IsNetworkMember::<Runtime>::get(account(30), NETUID));
        assert!(Axons::<Runtime>::get(NETUID, account(30)).is_none());
        assert_eq!(Weights::<Runtime>::get(NETUID, 0), [(1, 0), (2, 65_535)]);
        assert!(
            Bonds::<Runtime>::get(NETUID, 0)
                .iter()
                .all(|(uid, bond)| *uid != 1 || *bond == 0)
        );
        assert_eq!(Emission::<Runtime>::get(NETUID)[1], 0);
        assert_eq!(Incentive::<Runtime>::get(NETUID)[1], 0);
        assert_eq!(LastUpdate::<Runtime>::get(NETUID)[1], 100);
        assert_eq!(BlockAtRegistration::<Runtime>::get(NETUID, 1), 100);
        // What the one before earned stays its owner's.
        assert!(TotalHotkeyAlpha::<Runtime>::get(account(30), NETUID) > 0);
    });
}

#[test]
fn the_immune_are_spared_while_others_can_go_and_the_owner_always() {
    let mut subnet = subnet();
    subnet.max_allowed_uids = 2;
    subnet.owner_hotkey = Some(account(20));
    subnet.neurons = vec![neuron(2, 0), neuron(3, 0)];
    on_chain(config(vec![subnet]), || {
        // All are immune: the oldest but the owner's goes.
        assert_ok!(register(4, 40));
        assert_eq!(Keys::<Runtime>::get(NETUID, 0), account(20));
        assert_eq!(Keys::<Runtime>::get(NETUID, 1), account(40));
    });
}

#[test]
fn a_subnet_is_bought_started_and_emits() {
    on_chain(config(vec![]), || {
        NetworkMinLockCost::<Runtime>::put(100 * TAO);
        NetworkLastLockCost::<Runtime>::put(100 * TAO);
        assert_ok!(SubtensorModule::register_network(signed(1), account(10)));
        System::assert_last_event(Event::NetworkAdded(1, 0).into());
        assert_eq!(Balances::free_balance(account(1)), 900 * TAO);
        assert_eq!(SubnetOwner::<Runtime>::get(1), account(1));
        assert_eq!(Keys::<Runtime>::get(1, 0), account(10));
        go_to(5);
        assert_eq!(SubnetAlphaOut::<Runtime>::get(1), 0);
        let start = |coldkey| SubtensorModule::start_call(signed(coldkey), 1);
        assert_eq!(start(2), Err(Error::<Runtime>::NotSubnetOwner.into()));
        assert_ok!(start(1));
        let again = Error::<Runtime>::FirstEmissionBlockNumberAlreadySet;
        assert_eq!(start(1), Err(again.into()));
        go_to(8);
        assert_eq!(SubnetAlphaOut::<Runtime>::get(1), 3 * TAO);
        // The next subnet costs twice as much, less a block's worth of reduction for each block since.
        let cost = SubtensorModule::network_lock_cost();
        assert_eq!(cost, 200 * TAO - 7 * (100 * TAO / 100_800));
    });
}
