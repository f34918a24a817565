//! Who may set what, when and within which bounds.

use frame_support::{assert_noop, assert_ok, traits::Hooks};
use sp_io::TestExternalities;
use sp_runtime::{AccountId32, BuildStorage, DispatchError};

use super::Error;
use crate::{
    AdminUtils, Runtime, RuntimeGenesisConfig, RuntimeOrigin, SubtensorModule,
    SubtensorModuleConfig, System,
    subtensor::{self, *},
};

const NETUID: NetUid = 1;
const TEMPO: u16 = 100;

fn account(number: u8) -> AccountId32 {
    AccountId32::new([number; 32])
}

fn owner() -> RuntimeOrigin {
    RuntimeOrigin::signed(account(1))
}

fn root() -> RuntimeOrigin {
    RuntimeOrigin::root()
}

/// Runs a test in block 1 of a chain whose subnet, of coldkey 1, has a tempo of 100.
fn on_chain(test: impl FnOnce()) {
    let mut subnet = SubnetGenesis::new(NETUID, account(1));
    subnet.tempo = TEMPO;
    subnet.neurons = (0..70)
        .map(|number| NeuronGenesis {
            coldkey: account(100),
            hotkey: account(101 + number),
            stake: 0,
        })
        .collect();
    let storage = RuntimeGenesisConfig {
        subtensor_module: SubtensorModuleConfig {
            subnets: vec![subnet],
            ..Default::default()
        },
        ..Default::default()
    }
    .build_storage()
    .unwrap();
    TestExternalities::new(storage).execute_with(|| {
        go_to(1);
        test();
    });
}

fn go_to(block: u32) {
    while System::block_number() < block {
        let next = System::block_number() + 1;
        System::set_block_number(next);
        SubtensorModule::on_initialize(next);
    }
}

#[test]
fn an_owner_sets_its_own_subnet_now_and_then_and_root_at_will() {
    on_chain(|| {
        let set = |origin, value| AdminUtils::sudo_set_immunity_period(origin, NETUID, value);
        let stranger = RuntimeOrigin::signed(account(2));
        assert_noop!(set(stranger, 7), DispatchError::BadOrigin);
        assert_ok!(set(owner(), 7));
        assert_eq!(ImmunityPeriod::<Runtime>::get(NETUID), 7);
        System::assert_last_event(subtensor::Event::ImmunityPeriodSet(NETUID, 7).into());
        let fast = subtensor::Error::<Runtime>::TxRateLimitExceeded;
        assert_noop!(set(owner(), 8), fast);
        // Another hyperparameter is another matter, and root has no limit.
        assert_ok!(AdminUtils::sudo_set_rho(owner(), NETUID, 11));
        assert_ok!(set(root(), 8));
        // Two epochs.
        go_to(1 + 2 * u32::from(TEMPO));
        assert_noop!(
            AdminUtils::sudo_set_immunity_period(owner(), 7, 9),
            DispatchError::BadOrigin
        );
        go_to(2 + 2 * u32::from(TEMPO));
        assert_ok!(set(owner(), 9));
        let nowhere = AdminUtils::sudo_set_kappa(root(), 7, 1);
        assert_eq!(nowhere, Err(Error::<Runtime>::SubnetDoesNotExist.into()));
    });
}

#[test]
fn nothing_changes_in_the_blocks_before_an_epoch() {
    on_chain(|| {
        let set = |origin| AdminUtils::sudo_set_bonds_penalty(origin, NETUID, 5);
        let frozen = DispatchError::from(
            subtensor::Error::<Runtime>::AdminActionProhibitedDuringWeightsWindow,
        );
        go_to(u32::from(TEMPO) - 9);
        assert_noop!(set(owner()), frozen);
        assert_noop!(set(root()), frozen);
        // What only root may set is set nonetheless.
        assert_ok!(AdminUtils::sudo_set_kappa(root(), NETUID, 5));
        go_to(u32::from(TEMPO));
        assert_ok!(set(owner()));
        assert_ok!(AdminUtils::sudo_set_admin_freeze_window(root(), 0));
        go_to(2 * u32::from(TEMPO) - 1);
        assert_ok!(set(root()));
    });
}

#[test]
fn values_stay_within_their_bounds() {
    on_chain(|| {
        use Error as E;
        let check = |result: sp_runtime::DispatchResult, expected: Error<Runtime>| {
            assert_eq!(result, Err(expected.into()));
        };
        let burn = |value| AdminUtils::sudo_set_min_burn(root(), NETUID, value);
        check(burn(1_000_000_000), E::ValueNotInBounds);
        check(
            AdminUtils::sudo_set_max_burn(root(), NETUID, 100_000_000),
            E::ValueNotInBounds,
        );
        let uids = |value| AdminUtils::sudo_set_max_allowed_uids(root(), NETUID, value);
        check(uids(63), E::MaxAllowedUidsLessThanMinAllowedUids);
        check(uids(69), E::MaxAllowedUIdsLessThanCurrentUIds);
        check(
            uids(4_097),
            E::MaxAllowedUidsGreaterThanDefaultMaxAllowedUids,
        );
        let inert = |origin| AdminUtils::sudo_set_bonds_moving_average(origin, NETUID, 975_001);
        check(inert(owner()), E::BondsMovingAverageMaxReached);
        assert_ok!(inert(root()));
        let slope = |origin| AdminUtils::sudo_set_alpha_sigmoid_steepness(origin, NETUID, -1);
        check(slope(owner()), E::NegativeSigmoidSteepness);
        assert_ok!(slope(root()));
        let pow = AdminUtils::sudo_set_network_pow_registration_allowed(root(), NETUID, true);
        check(pow, E::POWRegistrationDisabled);
        let alpha = |low, high| AdminUtils::sudo_set_alpha_values(root(), NETUID, low, high);
        let off = subtensor::Error::<Runtime>::LiquidAlphaDisabled;
        assert_eq!(alpha(2_000, 3_000), Err(off.into()));
        assert_ok!(AdminUtils::sudo_set_liquid_alpha_enabled(
            root(),
            NETUID,
            true
        ));
        let low = subtensor::Error::<Runtime>::AlphaLowOutOfRange;
        assert_eq!(alpha(3_001, 3_000), Err(low.into()));
        assert_ok!(alpha(2_000, 3_000));
        let period =
            |epochs| AdminUtils::sudo_set_commit_reveal_weights_interval(root(), NETUID, epochs);
        assert!(period(0).is_err() && period(101).is_err());
        assert_ok!(period(100));
        let mechanisms = AdminUtils::sudo_set_mechanism_count(root(), NETUID, 2);
        assert_eq!(
            mechanisms,
            Err(subtensor::Error::<Runtime>::InvalidValue.into())
        );
    });
}

#[test]
fn an_epoch_out_of_turn_comes_after_a_freeze_window() {
    on_chain(|| {
        let trigger = || SubtensorModule::trigger_epoch(owner(), NETUID);
        assert_ok!(trigger());
        let pending = subtensor::Error::<Runtime>::EpochTriggerAlreadyPending;
        assert_noop!(trigger(), pending);
        let frozen = subtensor::Error::<Runtime>::AdminActionProhibitedDuringWeightsWindow;
        assert_noop!(AdminUtils::sudo_set_rho(root(), NETUID, 1), frozen);
        go_to(11);
        assert_eq!(LastEpochBlock::<Runtime>::get(NETUID), 11);
        assert_eq!(SubnetEpochIndex::<Runtime>::get(NETUID), 1);
        assert_ok!(SubtensorModule::set_tempo(owner(), NETUID, 360));
        go_to(370);
        assert_eq!(LastEpochBlock::<Runtime>::get(NETUID), 11);
        go_to(371);
        assert_eq!(LastEpochBlock::<Runtime>::get(NETUID), 371);
    });
}

#[test]
fn a_trimmed_subnet_keeps_its_best_and_closes_up() {
    on_chain(|| {
        assert_ok!(AdminUtils::sudo_set_immunity_period(root(), NETUID, 0));
        Emission::<Runtime>::mutate(NETUID, |emission| {
            for uid in (0..70).filter(|uid| uid % 10 != 3) {
                emission[uid] = 1_000 - uid as u64;
            }
        });
        Weights::<Runtime>::insert(NETUID, 69, vec![(3, 1), (4, 2), (69, 3)]);
        assert_ok!(AdminUtils::sudo_trim_to_max_allowed_uids(
            owner(),
            NETUID,
            64
        ));
        // Of the seven that earned nothing, the youngest six went.
        assert_eq!(SubnetworkN::<Runtime>::get(NETUID), 64);
        assert_eq!(MaxAllowedUids::<Runtime>::get(NETUID), 64);
        assert_eq!(Uids::<Runtime>::get(NETUID, account(101 + 3)), Some(3));
        assert_eq!(Uids::<Runtime>::get(NETUID, account(101 + 13)), None);
        assert_eq!(Uids::<Runtime>::get(NETUID, account(101 + 69)), Some(63));
        assert_eq!(Keys::<Runtime>::get(NETUID, 63), account(101 + 69));
        assert_eq!(
            Weights::<Runtime>::get(NETUID, 63),
            [(3, 1), (4, 2), (63, 3)]
        );
        assert_eq!(Emission::<Runtime>::get(NETUID).len(), 64);
        assert_eq!(LastUpdate::<Runtime>::get(NETUID).len(), 64);
    });
}
