//! Who may set which weights.

use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchResult;

use super::*;

/// Hotkeys 20 (with a permit), 30 (staked above the threshold, without a permit), 40 (staked below) and 50.
fn on_subnet(adjust: impl FnOnce(&mut SubnetGenesis), test: impl FnOnce()) {
    let mut subnet = subnet();
    subnet.max_allowed_validators = 1;
    subnet.neurons = vec![
        neuron(2, 100 * TAO),
        neuron(3, 50 * TAO),
        neuron(4, TAO),
        neuron(5, 0),
    ];
    adjust(&mut subnet);
    on_chain(config(vec![subnet]), test);
}

fn set(hotkey: u8, uids: &[u16], weights: &[u16], version_key: u64) -> DispatchResult {
    SubtensorModule::set_weights(
        signed(hotkey),
        NETUID,
        uids.to_vec(),
        weights.to_vec(),
        version_key,
    )
}

fn check(result: DispatchResult, expected: Error<Runtime>) {
    assert_eq!(result, Err(expected.into()));
}

#[test]
fn weights_are_stored_with_the_largest_at_65535_and_count_as_an_update() {
    on_subnet(
        |_| {},
        || {
            assert_ok!(set(20, &[3, 1, 2], &[100, 50, 0], 0));
            assert_eq!(
                Weights::<Runtime>::get(NETUID, 0),
                [(3, 65_535), (1, 32_768), (2, 0)]
            );
            assert_eq!(LastUpdate::<Runtime>::get(NETUID), [1, 0, 0, 0]);
            System::assert_last_event(Event::WeightsSet(NETUID, 0).into());
            go_to(2);
            assert_ok!(SubtensorModule::set_mechanism_weights(
                signed(20),
                NETUID,
                0,
                vec![1],
                vec![7],
                0
            ));
            assert_eq!(Weights::<Runtime>::get(NETUID, 0), [(1, 65_535)]);
        },
    );
}

#[test]
fn each_rule_has_its_error() {
    on_subnet(
        |subnet| {
            subnet.weights_version_key = 5;
            subnet.min_allowed_weights = 2;
        },
        || {
            use Error as E;
            let set_on = |netuid, mecid| {
                SubtensorModule::set_mechanism_weights(
                    signed(20),
                    netuid,
                    mecid,
                    vec![1, 2],
                    vec![1, 1],
                    5,
                )
            };
            check(set_on(0, 0), E::CanNotSetRootNetworkWeights);
            check(set_on(7, 0), E::SubnetNotExists);
            check(set_on(NETUID, 1), E::MechanismDoesNotExist);
            check(set(20, &[1, 2], &[1], 5), E::WeightVecNotEqualSize);
            check(
                set(20, &[0, 1, 2, 3, 4], &[1; 5], 5),
                E::UidsLengthExceedUidsInSubNet,
            );
            check(set(90, &[1, 2], &[1, 1], 5), E::HotKeyNotRegisteredInSubNet);
            check(set(40, &[1, 2], &[1, 1], 5), E::NotEnoughStakeToSetWeights);
            check(set(20, &[1, 2], &[1, 1], 4), E::IncorrectWeightVersionKey);
            check(set(30, &[0, 2], &[1, 1], 5), E::NeuronNoValidatorPermit);
            check(set(20, &[1, 1], &[1, 1], 5), E::DuplicateUids);
            check(set(20, &[1, 9], &[1, 1], 5), E::UidVecContainInvalidOne);
            check(set(20, &[1], &[1], 5), E::WeightVecLengthIsLow);
            MaxWeightsLimit::<Runtime>::insert(NETUID, 40_000);
            check(set(20, &[1, 2], &[3, 1], 5), E::MaxWeightExceeded);
            CommitRevealWeightsEnabled::<Runtime>::insert(NETUID, true);
            assert_noop!(
                set(20, &[1, 2], &[1, 1], 5),
                E::<Runtime>::CommitRevealEnabled
            );
        },
    );
}

#[test]
fn a_neuron_may_always_vote_for_itself_alone() {
    on_subnet(
        |subnet| subnet.min_allowed_weights = 3,
        || {
            MaxWeightsLimit::<Runtime>::insert(NETUID, 1);
            assert_ok!(set(30, &[1], &[1], 0));
            check(set(30, &[2], &[1], 0), Error::SettingWeightsTooFast);
            go_to(2);
            check(set(30, &[2], &[1], 0), Error::NeuronNoValidatorPermit);
        },
    );
}

#[test]
fn the_owners_hotkey_needs_no_permit() {
    on_subnet(
        |subnet| subnet.owner_hotkey = Some(account(30)),
        || {
            assert_ok!(set(30, &[0, 2], &[1, 1], 0));
        },
    );
}

#[test]
fn weights_wait_for_the_rate_limit() {
    on_subnet(
        |subnet| subnet.weights_rate_limit = 4,
        || {
            assert_ok!(set(20, &[1], &[1], 0));
            go_to(4);
            check(set(20, &[1], &[1], 0), Error::SettingWeightsTooFast);
            go_to(5);
            assert_ok!(set(20, &[1], &[1], 0));
        },
    );
}
