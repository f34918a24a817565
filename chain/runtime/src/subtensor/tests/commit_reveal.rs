//! Weights that are committed first, in all three forms.

use frame_support::{assert_noop, assert_ok};
use sp_core::H256;
use sp_runtime::{DispatchResult, traits::Hash};

use super::*;
use crate::{
    Drand,
    drand::{self, Pulse, PulsesPayload},
};

/// Validators 20 and 30, miners 40 and 50; tempo 10, and weights are revealed one epoch after they are committed.
fn on_subnet(test: impl FnOnce()) {
    let mut subnet = subnet();
    subnet.commit_reveal = true;
    subnet.neurons = vec![
        neuron(2, 200 * TAO),
        neuron(3, 100 * TAO),
        neuron(4, 0),
        neuron(5, 0),
    ];
    on_chain(config(vec![subnet]), test);
}

const UIDS: [u16; 2] = [2, 3];
const VALUES: [u16; 2] = [2, 1];
const SALT: [u16; 2] = [7, 8];

/// As the reference clients hash: BLAKE2b-256 over (account, u16, three vectors of u16, u64).
fn hash(hotkey: u8, values: [u16; 2]) -> H256 {
    let mut bytes = vec![hotkey; 32];
    bytes.extend(NETUID.to_le_bytes());
    for list in [UIDS, values, SALT] {
        bytes.push(2 << 2);
        bytes.extend(list.iter().flat_map(|number| number.to_le_bytes()));
    }
    bytes.extend([0; 8]);
    sp_runtime::traits::BlakeTwo256::hash(&bytes)
}

fn commit(hotkey: u8, values: [u16; 2]) -> DispatchResult {
    SubtensorModule::commit_weights(signed(hotkey), NETUID, hash(hotkey, values))
}

fn reveal(hotkey: u8, values: [u16; 2]) -> DispatchResult {
    SubtensorModule::reveal_weights(
        signed(hotkey),
        NETUID,
        UIDS.to_vec(),
        values.to_vec(),
        SALT.to_vec(),
        0,
    )
}

#[test]
fn a_hash_commit_is_revealed_in_its_epoch_and_in_no_other() {
    on_subnet(|| {
        let open = SubtensorModule::set_weights(signed(20), NETUID, vec![2], vec![1], 0);
        assert_eq!(open, Err(Error::<Runtime>::CommitRevealEnabled.into()));
        assert_ok!(commit(20, VALUES));
        let committed = hash(20, VALUES);
        System::assert_last_event(Event::WeightsCommitted(account(20), NETUID, committed).into());
        assert_eq!(LastUpdate::<Runtime>::get(NETUID)[0], 1);
        assert_noop!(reveal(20, VALUES), Error::<Runtime>::RevealTooEarly);
        go_to(10);
        // Epoch 1: wrong weights, another's commit, then the right ones.
        let other = Error::<Runtime>::InvalidRevealCommitHashNotMatch;
        assert_noop!(reveal(20, [1, 2]), other);
        assert_noop!(reveal(30, VALUES), Error::<Runtime>::NoWeightsCommitFound);
        assert_ok!(reveal(20, VALUES));
        let row = Weights::<Runtime>::get(NETUID, 0);
        assert_eq!(row, [(2, 65_535), (3, 32_768)]);
        // Revealing is no update: the commit was.
        assert_eq!(LastUpdate::<Runtime>::get(NETUID)[0], 1);
        assert_eq!(WeightCommits::<Runtime>::get(NETUID, account(20)), None);
        go_to(20);
        assert!(Incentive::<Runtime>::get(NETUID)[2] > Incentive::<Runtime>::get(NETUID)[3]);
    });
}

#[test]
fn a_commit_that_nobody_reveals_expires_and_drops_from_the_queue() {
    on_subnet(|| {
        assert_ok!(commit(20, VALUES));
        go_to(20);
        let expired = Error::<Runtime>::ExpiredWeightCommit;
        assert_noop!(reveal(20, VALUES), expired);
        assert_ok!(commit(20, [9, 9]));
        let queue = WeightCommits::<Runtime>::get(NETUID, account(20)).unwrap();
        assert_eq!(queue, [(hash(20, [9, 9]), 2, 20, 0)]);
    });
}

#[test]
fn commits_are_limited_in_number_and_rate_and_to_subnets_that_want_them() {
    on_subnet(|| {
        SubtensorModule::put_tempo(NETUID, 1_000);
        for block in 1..=10 {
            go_to(block);
            assert_ok!(commit(20, [block as u16, 1]));
        }
        go_to(11);
        let many = Error::<Runtime>::TooManyUnrevealedCommits;
        assert_noop!(commit(20, VALUES), many);
        WeightsSetRateLimit::<Runtime>::insert(NETUID, 100);
        let fast = Error::<Runtime>::CommittingWeightsTooFast;
        assert_noop!(commit(20, VALUES), fast);
        let stranger = Error::<Runtime>::HotKeyNotRegisteredInSubNet;
        assert_noop!(commit(99, VALUES), stranger);
        CommitRevealWeightsEnabled::<Runtime>::insert(NETUID, false);
        assert_noop!(commit(30, VALUES), Error::<Runtime>::CommitRevealDisabled);
        assert_noop!(reveal(20, VALUES), Error::<Runtime>::CommitRevealDisabled);
    });
}

#[test]
fn a_batch_reveals_all_or_nothing() {
    on_subnet(|| {
        assert_ok!(SubtensorModule::batch_commit_weights(
            signed(20),
            vec![NETUID.into(), 7.into()],
            vec![hash(20, VALUES), hash(20, VALUES)],
        ));
        System::assert_has_event(Event::BatchCompletedWithErrors().into());
        go_to(2);
        assert_ok!(commit(20, [5, 5]));
        go_to(10);
        let batch = |values: [[u16; 2]; 2]| {
            SubtensorModule::batch_reveal_weights(
                signed(20),
                NETUID,
                vec![UIDS.to_vec(); 2],
                values.map(|values| values.to_vec()).to_vec(),
                vec![SALT.to_vec(); 2],
                vec![0; 2],
            )
        };
        let other = Error::<Runtime>::InvalidRevealCommitHashNotMatch;
        assert_noop!(batch([VALUES, [6, 6]]), other);
        assert_ok!(batch([VALUES, [5, 5]]));
        assert_eq!(
            Weights::<Runtime>::get(NETUID, 0),
            [(2, 65_535), (3, 65_535)]
        );
    });
}

#[test]
fn weights_for_a_uid_that_changed_hands_do_not_pay_its_new_owner() {
    on_subnet(|| {
        MaxAllowedUids::<Runtime>::insert(NETUID, 4);
        ImmunityPeriod::<Runtime>::insert(NETUID, 0);
        MinNonImmuneUids::<Runtime>::insert(NETUID, 0);
        assert_ok!(commit(20, VALUES));
        go_to(3);
        // Miner 40, UID 2, earns least.
        Emission::<Runtime>::insert(NETUID, vec![5, 5, 0, 1]);
        assert_ok!(SubtensorModule::burned_register(
            signed(6),
            NETUID,
            account(60)
        ));
        assert_eq!(Uids::<Runtime>::get(NETUID, account(60)), Some(2));
        // A later commit hides the earlier one from the epoch's own mask.
        go_to(4);
        assert_ok!(commit(20, [5, 5]));
        go_to(10);
        assert_ok!(reveal(20, VALUES));
        assert_eq!(Weights::<Runtime>::get(NETUID, 0), [(2, 0), (3, 32_768)]);
        go_to(20);
        assert_eq!(Incentive::<Runtime>::get(NETUID)[2], 0);
        assert!(Incentive::<Runtime>::get(NETUID)[3] > 0);
    });
}

fn commit_timelocked(hotkey: u8, commit: Vec<u8>, round: u64, version: u16) -> DispatchResult {
    let commit = commit.try_into().unwrap();
    SubtensorModule::commit_timelocked_weights(signed(hotkey), NETUID, commit, round, version)
}

fn write_pulse_1000() {
    let payload = PulsesPayload {
        block_number: 1,
        pulses: vec![Pulse::new(1_000, &drand::tests::signature_1000())],
        public: sp_runtime::MultiSigner::Sr25519(Default::default()),
    };
    assert_ok!(Drand::write_pulse(RuntimeOrigin::none(), payload, None));
}

#[test]
fn a_timelocked_commit_of_the_reference_client_opens_itself_before_the_epoch() {
    on_subnet(|| {
        let sealed = drand::tests::sdk_commit();
        let version = Error::<Runtime>::IncorrectCommitRevealVersion;
        assert_noop!(commit_timelocked(20, sealed.clone(), 1_000, 3), version);
        assert_ok!(commit_timelocked(20, sealed.clone(), 1_000, 4));
        // Whoever copies a ciphertext commits to nothing.
        assert_ok!(commit_timelocked(30, sealed, 1_000, 4));
        assert!(SubtensorModule::awaited_rounds(NETUID).contains(&1_000));
        go_to(9);
        write_pulse_1000();
        assert!(SubtensorModule::awaited_rounds(NETUID).is_empty());
        assert_eq!(Weights::<Runtime>::get(NETUID, 0), []);
        go_to(10);
        System::assert_has_event(Event::TimelockedWeightsRevealed(NETUID, account(20)).into());
        let row = Weights::<Runtime>::get(NETUID, 0);
        assert_eq!(row, [(2, 65_535), (3, 32_768)]);
        assert_eq!(Weights::<Runtime>::get(NETUID, 1), []);
        assert_eq!(TimelockedWeightCommits::<Runtime>::iter().count(), 0);
        // It counted in this very epoch.
        assert!(Incentive::<Runtime>::get(NETUID)[2] > 0);
    });
}

#[test]
fn a_timelocked_commit_waits_for_its_round_until_its_epoch_has_passed() {
    on_subnet(|| {
        let sealed = drand::tests::sdk_commit();
        assert_ok!(commit_timelocked(20, sealed.clone(), 1_000, 4));
        go_to(12);
        assert_eq!(Weights::<Runtime>::get(NETUID, 0), []);
        write_pulse_1000();
        go_to(13);
        assert_eq!(Weights::<Runtime>::get(NETUID, 0).len(), 2);

        assert_ok!(commit_timelocked(20, sealed, 2_000, 4));
        assert_ok!(commit_timelocked(20, vec![1, 2, 3], 1_000, 4).or(Ok::<(), ()>(())));
        go_to(30);
        assert_eq!(TimelockedWeightCommits::<Runtime>::iter().count(), 0);
    });
}

#[test]
fn mechanisms_that_do_not_exist_take_no_commits() {
    on_subnet(|| {
        let none = Error::<Runtime>::MechanismDoesNotExist;
        let hashed =
            SubtensorModule::commit_mechanism_weights(signed(20), NETUID, 1, hash(20, VALUES));
        assert_eq!(hashed, Err(none.into()));
        assert_ok!(SubtensorModule::commit_crv3_mechanism_weights(
            signed(20),
            NETUID,
            0,
            vec![1].try_into().unwrap(),
            5,
        ));
    });
}
