//! Which refusals are foreseen, and by which error.

use athanor_spec::Epoch;

use super::*;

/// A validator in block 1000 of a subnet with 16 neurons, which may set weights.
fn standing() -> Standing {
    Standing {
        netuid: NetUid(1),
        hotkey: Hotkey([1; 32]),
        block: BlockNumber(1000),
        uid: Uid(3),
        nonce: 0,
        cycle: Cycle {
            schedule: EpochSchedule {
                tempo: 100,
                epoch: Epoch(9),
                last_epoch_block: BlockNumber(950),
                next_epoch_block: BlockNumber(1050),
            },
            length: 100,
            counted: true,
        },
        commit_reveal: false,
        reveal_period: 1,
        activity_cutoff: Some(5000),
        last_update: 900,
        stake_threshold: Rao(0),
        beacon: None,
        commit_version: timelock::VERSION,
        neurons: 16,
        permit: true,
        registered_at: 10,
        rate_limit: 100,
        version_key: 7,
        min_weights: 2,
        max_weight: 40_000,
    }
}

const ROW: [(Uid, u16); 2] = [(Uid(1), 50), (Uid(2), 50)];

/// Asserts what becomes of `row` when `change` is made to a standing in which [`ROW`] may be set.
fn check(
    change: impl FnOnce(&mut Standing),
    row: &[(Uid, u16)],
    expected: fn(&SetWeightsError) -> bool,
    advice: &str,
) {
    let mut standing = standing();
    assert!(standing.check(&ROW, 7).is_ok());
    change(&mut standing);
    let error = standing.check(row, 7).unwrap_err();
    let text = error.to_string();
    assert!(expected(&error) && text.contains(advice), "{text}");
}

#[test]
fn every_refusal_that_can_be_foreseen_has_its_own_error_and_advice() {
    use SetWeightsError as E;
    check(
        |standing| standing.last_update = 960,
        &ROW,
        |error| matches!(error, E::AlreadySet { block } if block.0 == 960),
        "due in the next epoch",
    );
    check(
        |standing| standing.permit = false,
        &ROW,
        |error| matches!(error, E::NoPermit { .. }),
        "stake more",
    );
    check(
        |standing| standing.version_key = 8,
        &ROW,
        |error| {
            matches!(
                error,
                E::OldVersion {
                    chain: 8,
                    ours: 7,
                    ..
                }
            )
        },
        "update it",
    );
    check(
        |standing| standing.neurons = 2,
        &ROW,
        |error| {
            matches!(
                error,
                E::UnknownUid {
                    uid: Uid(2),
                    neurons: 2,
                    ..
                }
            )
        },
        "read the metagraph again",
    );
    check(
        |_| {},
        &[ROW[0], ROW[0]],
        |error| matches!(error, E::DuplicateUid { uid: Uid(1) }),
        "twice",
    );
    check(
        |_| {},
        &ROW[..1],
        |error| {
            matches!(
                error,
                E::TooFewWeights {
                    len: 1,
                    least: 2,
                    ..
                }
            )
        },
        "give more miners a weight",
    );
    check(
        |_| {},
        &[(Uid(1), 10), (Uid(2), 90)],
        |error| {
            matches!(
                error,
                E::TooLargeWeight {
                    uid: Uid(2),
                    limit: 40_000,
                    ..
                }
            )
        },
        "spread the weights",
    );
    check(
        |standing| standing.rate_limit = 150,
        &ROW,
        |error| matches!(error, E::TooFast { wait_blocks: 49 }),
        "in 49 blocks",
    );
}

#[test]
fn what_the_runtime_exempts_is_exempt() {
    // A neuron may always vote for itself alone, however short and one-sided that is.
    let mut own = standing();
    own.permit = false;
    assert!(own.check(&[(Uid(3), 1)], 7).is_ok());
    // A subnet with fewer neurons than its least number of weights takes as many as there are.
    let mut small = standing();
    (small.neurons, small.min_weights) = (2, 9);
    (small.uid, small.max_weight) = (Uid(0), u16::MAX);
    assert!(small.check(&[(Uid(0), 1), (Uid(1), 1)], 7).is_ok());
    // A registration writes the last update, and is no row of weights.
    let mut fresh = standing();
    (fresh.registered_at, fresh.last_update, fresh.rate_limit) = (960, 960, 0);
    assert!(fresh.check(&ROW, 7).is_ok());
}

#[test]
fn a_weight_is_over_the_limit_by_its_share_of_all() {
    let row = [(Uid(0), 10), (Uid(1), 30)];
    assert_eq!(over_limit(&row, u16::MAX), None);
    assert_eq!(over_limit(&row, 49151), Some(Uid(1)), "75 % are 49151.25");
    assert_eq!(over_limit(&row, 49152), None);
    assert_eq!(over_limit(&[(Uid(0), 0)], 1), None);
    assert_eq!(over_limit(&[], 1), None);
}

#[test]
fn a_beacon_that_fell_silent_is_not_trusted_to_open_anything() {
    let live = |now: u64, last_round| LiveBeacon {
        beacon: Beacon::quicknet(),
        now_ms: now * 1000,
        block_time_ms: 12_000,
        last_round,
    };
    let now = Beacon::quicknet().genesis + 3000;
    assert!(live(now, 1000).speaks());
    assert!(live(now, 801).speaks());
    assert!(!live(now, 799).speaks());
    assert!(!live(now, 0).speaks());
    assert!(live(now, 2000).speaks(), "a clock behind the beacon's");
    let mut own = live(now, 0);
    own.beacon.public_key[0] ^= 1;
    assert!(own.speaks());
}
