//! Epochs run when the stored schedule says so.

use super::{MAX_TEMPO, Schedule};

const REGULAR: Schedule = Schedule {
    tempo: 360,
    last_epoch_block: 1_000,
    pending_epoch_at: 0,
    blocks_since_last_step: 0,
    epoch_index: 7,
};

#[test]
fn an_epoch_is_due_a_tempo_after_the_last_slot() {
    assert_eq!(REGULAR.next_epoch_block(), Some(1_360));
    assert!(!REGULAR.is_due(1_359));
    assert!(REGULAR.is_due(1_360));
    assert!(REGULAR.is_due(5_000));
    assert_eq!(REGULAR.blocks_until_regular_epoch(1_350), Some(10));
    assert_eq!(REGULAR.blocks_until_regular_epoch(2_000), Some(0));
}

#[test]
fn a_subnet_without_tempo_runs_no_epoch() {
    let stopped = Schedule {
        tempo: 0,
        pending_epoch_at: 1,
        blocks_since_last_step: u64::MAX,
        ..REGULAR
    };
    assert!(!stopped.is_due(u64::MAX));
    assert_eq!(stopped.next_epoch_block(), None);
    assert_eq!(stopped.blocks_until_regular_epoch(0), None);
    assert!(!stopped.is_frozen(0, u64::MAX));
}

#[test]
fn an_epoch_out_of_turn_comes_first_and_clears_its_request() {
    let asked = Schedule {
        pending_epoch_at: 1_100,
        ..REGULAR
    };
    assert_eq!(asked.next_epoch_block(), Some(1_100));
    assert!(!asked.is_due(1_099));
    assert!(asked.is_due(1_100));
    let after = asked.advance(1_100, true);
    assert_eq!(after.next_epoch_block(), Some(1_460));
    assert_eq!(after.epoch_index, 8);
    let late = Schedule {
        pending_epoch_at: 2_000,
        ..REGULAR
    };
    assert_eq!(late.next_epoch_block(), Some(1_360));
}

#[test]
fn a_skipped_slot_is_used_up_but_does_not_count_as_a_step() {
    let waiting = REGULAR.tick().tick();
    assert_eq!(waiting.blocks_since_last_step, 2);
    assert_eq!(waiting.advance(1_360, false).blocks_since_last_step, 2);
    assert_eq!(waiting.advance(1_360, false).last_epoch_block, 1_360);
    assert_eq!(waiting.advance(1_360, true).blocks_since_last_step, 0);
}

#[test]
fn an_epoch_put_off_runs_in_the_next_block() {
    let put_off = REGULAR.defer(1_360);
    assert!(put_off.is_due(1_361));
    assert_eq!(put_off.epoch_index, REGULAR.epoch_index);
}

#[test]
fn a_subnet_without_a_step_for_too_long_is_due() {
    let stuck = |blocks| Schedule {
        blocks_since_last_step: blocks,
        ..REGULAR
    };
    assert!(!stuck(u64::from(MAX_TEMPO)).is_due(1_001));
    assert!(stuck(u64::from(MAX_TEMPO) + 1).is_due(1_001));
}

#[test]
fn settings_are_frozen_shortly_before_an_epoch_and_while_one_is_asked_for() {
    assert!(!REGULAR.is_frozen(1_350, 10));
    assert!(REGULAR.is_frozen(1_351, 10));
    let asked = Schedule {
        pending_epoch_at: 1_100,
        ..REGULAR
    };
    assert!(asked.is_frozen(1_099, 10));
    assert!(!asked.is_frozen(1_100, 10));
}
