//! When epochs run, and where the emission goes.

use frame_support::assert_ok;

use super::*;

/// Two validators (hotkeys 20 and 30) and two miners (40 and 50), whom they weigh two to one.
fn with_votes(adjust: impl FnOnce(&mut SubtensorModuleConfig), test: impl FnOnce()) {
    let mut subnet = subnet();
    subnet.neurons = vec![
        neuron(2, 200 * TAO),
        neuron(3, 100 * TAO),
        neuron(4, 0),
        neuron(5, 0),
    ];
    let mut config = config(vec![subnet]);
    adjust(&mut config);
    on_chain(config, || {
        for hotkey in [20, 30] {
            assert_ok!(SubtensorModule::set_weights(
                signed(hotkey),
                NETUID,
                vec![2, 3],
                vec![2, 1],
                0
            ));
        }
        test();
    });
}

fn alpha(hotkey: u8) -> u64 {
    TotalHotkeyAlpha::<Runtime>::get(account(hotkey), NETUID)
}

#[test]
fn an_epoch_runs_every_tempo_and_moves_the_schedule() {
    with_votes(
        |_| {},
        || {
            go_to(9);
            assert_eq!(BlocksSinceLastStep::<Runtime>::get(NETUID), 9);
            assert_eq!(SubnetEpochIndex::<Runtime>::get(NETUID), 0);
            for (block, epochs) in [(10, 1), (20, 2), (30, 3)] {
                go_to(block);
                assert_eq!(LastEpochBlock::<Runtime>::get(NETUID), u64::from(block));
                assert_eq!(
                    LastMechansimStepBlock::<Runtime>::get(NETUID),
                    u64::from(block)
                );
                assert_eq!(SubnetEpochIndex::<Runtime>::get(NETUID), epochs);
                assert_eq!(BlocksSinceLastStep::<Runtime>::get(NETUID), 0);
                assert_eq!(PendingEpochAt::<Runtime>::get(NETUID), 0);
            }
        },
    );
}

#[test]
fn an_epoch_pays_half_to_miners_by_incentive_and_half_to_validators_by_dividends() {
    with_votes(
        |_| {},
        || {
            go_to(10);
            let pot = 10 * TAO;
            let incentive = Incentive::<Runtime>::get(NETUID);
            assert_eq!(
                incentive.iter().map(|share| u32::from(*share)).sum::<u32>(),
                65_534
            );
            assert_eq!(incentive[..2], [0, 0]);
            let (first, second) = (alpha(40), alpha(50));
            assert!(
                (first + second).abs_diff(pot / 2) <= 4,
                "{first} + {second}"
            );
            assert!(
                first.abs_diff(2 * second) <= pot / 10_000,
                "{first} and {second}"
            );
            let (major, minor) = (alpha(20) - 200 * TAO, alpha(30) - 100 * TAO);
            assert!((major + minor).abs_diff(pot / 2) <= 4, "{major} + {minor}");
            assert!(
                major.abs_diff(2 * minor) <= pot / 10_000,
                "{major} and {minor}"
            );
            assert_eq!(
                ValidatorPermit::<Runtime>::get(NETUID),
                [true, true, false, false]
            );
            assert_eq!(Active::<Runtime>::get(NETUID), [true; 4]);
            assert!(
                Bonds::<Runtime>::get(NETUID, 0)
                    .iter()
                    .any(|(uid, bond)| *uid == 2 && *bond > 0)
            );
            // The stored emission sums up the same pay.
            let emission: u64 = Emission::<Runtime>::get(NETUID).iter().sum();
            assert!(emission <= pot && pot - emission <= 16, "{emission}");
        },
    );
}

#[test]
fn nothing_is_paid_that_was_not_minted() {
    with_votes(
        |_| {},
        || {
            go_to(105);
            let held: u64 = [20, 30, 40, 50].into_iter().map(alpha).sum();
            let pending = PendingServerEmission::<Runtime>::get(NETUID)
                + PendingValidatorEmission::<Runtime>::get(NETUID)
                + PendingOwnerCut::<Runtime>::get(NETUID);
            assert_eq!(pending, 5 * TAO);
            let issued = SubnetAlphaOut::<Runtime>::get(NETUID);
            assert_eq!(issued, 300 * TAO + 105 * TAO);
            let lost = issued - held - pending;
            assert!(
                lost < 10 * 8,
                "{lost} rao were lost to rounding in ten epochs"
            );
            assert_eq!(SubnetTAO::<Runtime>::get(NETUID), issued);
        },
    );
}

#[test]
fn without_weights_validators_get_everything_by_stake() {
    let mut subnet = subnet();
    subnet.neurons = vec![neuron(2, 200 * TAO), neuron(3, 100 * TAO), neuron(4, 0)];
    on_chain(config(vec![subnet]), || {
        go_to(10);
        assert_eq!(alpha(40), 0);
        let (major, minor) = (alpha(20) - 200 * TAO, alpha(30) - 100 * TAO);
        assert!((major + minor).abs_diff(10 * TAO) <= 4 && major.abs_diff(2 * minor) <= 10);
    });
}

#[test]
fn the_owners_cut_goes_to_its_hotkey_and_the_incentive_of_its_miners_to_nobody() {
    let adjust = |config: &mut SubtensorModuleConfig| {
        config.subnet_owner_cut = 11_796;
        config.subnets[0].owner_coldkey = account(4);
        config.subnets[0].owner_hotkey = Some(account(40));
    };
    with_votes(adjust, || {
        go_to(10);
        let cut = 10 * (TAO * 11_796 / 65_535);
        assert_eq!(alpha(40), cut);
        let other = (10 * TAO - cut) / 6;
        assert!(
            alpha(50).abs_diff(other) <= 10 * TAO / 10_000,
            "{}",
            alpha(50)
        );
        // Burned emission stays issued.
        assert_eq!(SubnetAlphaOut::<Runtime>::get(NETUID), 310 * TAO);
        RecycleOrBurn::<Runtime>::insert(NETUID, RecycleOrBurnEnum::Recycle);
        go_to(20);
        let issued = SubnetAlphaOut::<Runtime>::get(NETUID);
        assert!(issued < 318 * TAO && issued > 316 * TAO, "{issued}");
    });
}

#[test]
fn a_delegate_takes_its_part_of_the_dividends_first() {
    with_votes(
        |_| {},
        || {
            assert_ok!(SubtensorModule::add_stake(
                signed(6),
                account(20),
                NETUID,
                200 * TAO
            ));
            let coldkeys =
                |number| SubtensorModule::stake_of(&account(20), &account(number), NETUID);
            go_to(10);
            let (owner, nominator) = (coldkeys(2) - 200 * TAO, coldkeys(6) - 200 * TAO);
            let dividend = owner + nominator;
            // 18 % to the owner, and half of the rest to each.
            let expected = dividend * 41 / 100;
            assert!(
                nominator.abs_diff(expected) <= dividend / 100,
                "{nominator} of {dividend}"
            );
            let recorded = AlphaDividendsPerSubnet::<Runtime>::get(NETUID, account(20));
            assert!(
                recorded.abs_diff(dividend * 82 / 100) <= dividend / 100,
                "{recorded}"
            );
            assert_eq!(
                TotalHotkeyAlphaLastEpoch::<Runtime>::get(account(20), NETUID),
                alpha(20)
            );
        },
    );
}

#[test]
fn a_third_epoch_in_a_block_waits_for_the_next() {
    let subnets = (1..=3)
        .map(|netuid| SubnetGenesis { netuid, ..subnet() })
        .collect();
    on_chain(config(subnets), || {
        go_to(10);
        let last = |netuid| LastEpochBlock::<Runtime>::get(netuid);
        assert_eq!((last(1), last(2), last(3)), (10, 10, 0));
        assert_eq!(PendingEpochAt::<Runtime>::get(3), 11);
        let deferred = Event::EpochDeferred {
            netuid: 3,
            from_block: 10,
            to_block: 11,
        };
        System::assert_has_event(deferred.into());
        go_to(11);
        assert_eq!((last(3), PendingEpochAt::<Runtime>::get(3)), (11, 0));
    });
}
