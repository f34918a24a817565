//! When a checkpoint is committed and when it is served.

use athanor_spec::Epoch;

use super::*;

/// Epochs of 24 blocks: 1000 to 1023, and so on; the swap leads by two blocks.
fn schedule(last: u32) -> EpochSchedule {
    EpochSchedule {
        tempo: 24,
        epoch: Epoch(u64::from(last) / 24),
        last_epoch_block: BlockNumber(last),
        next_epoch_block: BlockNumber(last + 24),
    }
}

fn check(block: u32, ready: bool, swap_at: Option<u32>, expected: Step) {
    let found = step(
        BlockNumber(block),
        &schedule(1000),
        ready,
        swap_at.map(BlockNumber),
    );
    assert_eq!(found, expected, "at block {block}");
}

#[test]
fn nothing_happens_without_a_checkpoint() {
    check(1005, false, None, Step::Wait);
}

#[test]
fn a_checkpoint_is_committed_while_the_epoch_lasts() {
    check(1000, true, None, Step::Commit);
    check(1019, true, None, Step::Commit);
    check(1020, true, None, Step::Wait);
    check(1023, true, None, Step::Wait);
}

#[test]
fn a_committed_checkpoint_is_served_just_before_the_epoch_ends() {
    check(1021, true, Some(1022), Step::Wait);
    check(1022, true, Some(1022), Step::Swap);
    check(1030, false, Some(1022), Step::Swap);
}

#[test]
fn one_checkpoint_at_a_time_is_committed() {
    check(1005, true, Some(1022), Step::Wait);
}

#[test]
fn a_commitment_that_came_late_is_served_in_the_epoch_that_expects_it() {
    let at = |included, last| swap_block_after(BlockNumber(included), &schedule(last)).0;
    assert_eq!(at(1010, 1000), 1022, "the usual case");
    assert_eq!(
        at(1023, 1024),
        1023,
        "the epoch ended between inclusion and reading: at once"
    );
    assert_eq!(
        at(1024, 1024),
        1046,
        "included only after the epoch ended: one epoch later"
    );
}

#[test]
fn short_epochs_leave_one_block_to_swap() {
    let schedule = EpochSchedule {
        tempo: 5,
        next_epoch_block: BlockNumber(1005),
        ..schedule(1000)
    };
    assert_eq!(
        swap_block_after(BlockNumber(1001), &schedule),
        BlockNumber(1004)
    );
}
