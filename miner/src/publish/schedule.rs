//! At which block a checkpoint is committed, and at which it is served.

use athanor_chain::EpochSchedule;
use athanor_spec::BlockNumber;

/// Blocks that a commitment may take to be included.
const COMMIT_BLOCKS: u32 = 2;

/// What the publisher does at a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Wait,
    /// Commit the checkpoint that is ready.
    Commit,
    /// Serve the checkpoint that is committed.
    Swap,
}

/// Decides what to do at `block`. `swap_at` is when the committed checkpoint is to be served, if there is one.
pub(super) fn step(
    block: BlockNumber,
    schedule: &EpochSchedule,
    ready: bool,
    swap_at: Option<BlockNumber>,
) -> Step {
    match swap_at {
        Some(at) if block >= at => Step::Swap,
        Some(_) => Step::Wait,
        None if ready && block.0.saturating_add(COMMIT_BLOCKS) < swap_block(schedule).0 => {
            Step::Commit
        }
        None => Step::Wait,
    }
}

/// The block at which a checkpoint committed in `included` is to be served, by the schedule read afterwards.
pub(super) fn swap_block_after(included: BlockNumber, schedule: &EpochSchedule) -> BlockNumber {
    if included < schedule.last_epoch_block {
        // The epoch ended meanwhile: the new one already expects the new checkpoint.
        return included;
    }
    swap_block(schedule)
}

/// Just before the epoch ends, after the asks of the round are over.
fn swap_block(schedule: &EpochSchedule) -> BlockNumber {
    BlockNumber(schedule.next_epoch_block.0.saturating_sub(lead(schedule)))
}

/// Blocks before an epoch by which a miner is ready for it, with the checkpoint and the spec that hold in it: a twelfth of an
/// epoch, at least one.
pub fn lead(schedule: &EpochSchedule) -> u32 {
    u32::from(schedule.tempo / 12).max(1)
}

#[cfg(test)]
mod tests;
