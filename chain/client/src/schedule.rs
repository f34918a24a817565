//! When a subnet's epochs run.

use athanor_spec::{BlockNumber, Digest, Epoch, NetUid};
use serde::{Deserialize, Serialize};

use crate::{
    Client, ReadError,
    block::height,
    items,
    state::{Answers, Ask, Batch, State},
};

/// A subnet's epoch schedule as the chain holds it at one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochSchedule {
    /// Blocks per epoch; 0 means that the subnet's epochs do not run.
    pub tempo: u16,
    /// Number of epochs that the subnet has run.
    pub epoch: Epoch,
    /// Block in which the latest epoch ran (or was due); weights set in or after it count in the next one.
    pub last_epoch_block: BlockNumber,
    /// Block in which the next epoch is due, at the beginning of the block; [`u32::MAX`] when `tempo` is 0.
    pub next_epoch_block: BlockNumber,
}

impl Client {
    /// The schedule of `netuid` at block `at`, or at the latest finalized block.
    pub async fn schedule(
        &self,
        netuid: NetUid,
        at: Option<Digest>,
    ) -> Result<EpochSchedule, ReadError> {
        let state = self.state(at).await?;
        let mut batch = state.batch();
        let exists = batch.ask::<bool>(items::NETWORKS_ADDED, (netuid.0,))?;
        let asks = ScheduleAsks::new(&mut batch, netuid)?;
        let answers = batch.send().await?;
        if !answers.get(exists)?.unwrap_or_default() {
            return Err(ReadError::NoSubnet { netuid });
        }
        asks.schedule(&state, &answers)
    }
}

/// A schedule with what it takes to foresee later epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cycle {
    pub(crate) schedule: EpochSchedule,
    /// Blocks from one regular epoch to the next.
    pub(crate) length: u32,
    /// Whether the chain counts epochs; else they follow from block numbers.
    pub(crate) counted: bool,
}

impl Cycle {
    /// The epoch that an extrinsic of `block` falls into, for a block of this epoch or the next: one that an epoch is due
    /// in belongs to it.
    pub(crate) fn epoch_in(&self, block: BlockNumber) -> Epoch {
        let due = block >= self.schedule.next_epoch_block;
        Epoch(self.schedule.epoch.0 + u64::from(due))
    }

    /// First block of an epoch that is later than the running one; `None` if the subnet's epochs do not run.
    pub(crate) fn first_block_of(&self, epoch: Epoch, now: BlockNumber) -> Option<BlockNumber> {
        if self.schedule.tempo == 0 {
            return None;
        }
        // An epoch that is overdue runs in the next block.
        let next = self.schedule.next_epoch_block.0.max(now.0 + 1);
        let later = epoch.0.saturating_sub(self.schedule.epoch.0 + 1);
        Some(height(u64::from(next) + later * u64::from(self.length)))
    }
}

/// The questions whose answers make a schedule; part of a larger batch.
pub(crate) struct ScheduleAsks {
    netuid: NetUid,
    tempo: Ask<u16>,
    stateful: Option<Stateful>,
}

struct Stateful {
    epoch: Ask<u64>,
    last: Ask<u64>,
    pending: Ask<u64>,
}

impl ScheduleAsks {
    pub(crate) fn new(batch: &mut Batch<'_>, netuid: NetUid) -> Result<Self, ReadError> {
        let tempo = batch.ask(items::TEMPO, (netuid.0,))?;
        let stateful = if batch.knows(&items::STATEFUL_SCHEDULE) {
            Some(Stateful {
                epoch: batch.ask(items::SUBNET_EPOCH_INDEX, (netuid.0,))?,
                last: batch.ask(items::LAST_EPOCH_BLOCK, (netuid.0,))?,
                pending: batch.ask(items::PENDING_EPOCH_AT, (netuid.0,))?,
            })
        } else {
            None
        };
        Ok(Self {
            netuid,
            tempo,
            stateful,
        })
    }

    pub(crate) fn schedule(
        &self,
        state: &State,
        answers: &Answers<'_>,
    ) -> Result<EpochSchedule, ReadError> {
        Ok(self.cycle(state, answers)?.schedule)
    }

    pub(crate) fn cycle(&self, state: &State, answers: &Answers<'_>) -> Result<Cycle, ReadError> {
        let tempo = answers.get(self.tempo)?.unwrap_or_default();
        let Some(stateful) = &self.stateful else {
            return Ok(Cycle {
                schedule: by_block_number(self.netuid, tempo, state.block().number),
                length: u32::from(tempo) + 1,
                counted: false,
            });
        };
        let last = answers.get(stateful.last)?.unwrap_or_default();
        let pending = answers.get(stateful.pending)?.unwrap_or_default();
        Ok(Cycle {
            schedule: EpochSchedule {
                tempo,
                epoch: Epoch(answers.get(stateful.epoch)?.unwrap_or_default()),
                last_epoch_block: height(last),
                next_epoch_block: next_epoch_block(tempo, last, pending),
            },
            length: tempo.into(),
            counted: true,
        })
    }
}

/// Subtensor's `get_next_epoch_start_block`: a pending epoch of the owner may come before the regular one.
fn next_epoch_block(tempo: u16, last: u64, pending: u64) -> BlockNumber {
    if tempo == 0 {
        return BlockNumber(u32::MAX);
    }
    let regular = last.saturating_add(tempo.into());
    height(if pending > 0 {
        regular.min(pending)
    } else {
        regular
    })
}

/// The epoch of a block on chains that do not count epochs (`get_epoch_index`).
pub(crate) fn legacy_epoch(netuid: NetUid, tempo: u16, block: BlockNumber) -> Epoch {
    let shifted = u64::from(block.0) + u64::from(netuid.0) + 1;
    Epoch(shifted / (u64::from(tempo) + 1))
}

/// Subtensor's schedule before it became stateful: an epoch runs where `(block + netuid + 1) % (tempo + 1) == 0`.
fn by_block_number(netuid: NetUid, tempo: u16, block: BlockNumber) -> EpochSchedule {
    let shifted = u64::from(block.0) + u64::from(netuid.0) + 1;
    let period = u64::from(tempo) + 1;
    let since = shifted % period;
    EpochSchedule {
        tempo,
        epoch: legacy_epoch(netuid, tempo, block),
        last_epoch_block: height(u64::from(block.0).saturating_sub(since)),
        next_epoch_block: if tempo == 0 {
            BlockNumber(u32::MAX)
        } else {
            height(u64::from(block.0) + period - since)
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_epoch_comes_first_only_if_it_is_earlier() {
        assert_eq!(next_epoch_block(360, 1000, 0), BlockNumber(1360));
        assert_eq!(next_epoch_block(360, 1000, 1100), BlockNumber(1100));
        assert_eq!(next_epoch_block(360, 1000, 1500), BlockNumber(1360));
        assert_eq!(next_epoch_block(0, 1000, 1100), BlockNumber(u32::MAX));
    }

    /// bittensor-drand 2.0.0's own vectors for the block in which a commit is revealed, and two of ours.
    #[test]
    fn reveals_are_foreseen_as_the_reference_foresees_them() {
        let reveal = |last: u64, pending: u64, index: u64, tempo: u16, now: u32, period: u64| {
            let cycle = Cycle {
                schedule: EpochSchedule {
                    tempo,
                    epoch: Epoch(index),
                    last_epoch_block: height(last),
                    next_epoch_block: next_epoch_block(tempo, last, pending),
                },
                length: tempo.into(),
                counted: true,
            };
            let commit = cycle.epoch_in(BlockNumber(now + 1));
            cycle
                .first_block_of(Epoch(commit.0 + period), BlockNumber(now))
                .map(|block| block.0)
        };
        assert_eq!(reveal(10, 0, 0, 0, 10, 1), None);
        assert_eq!(reveal(10, 0, 0, 50, 10, 1), Some(60));
        assert_eq!(reveal(80, 95, 0, 20, 91, 1), Some(95));
        assert_eq!(
            reveal(10, 0, 7, 50, 59, 1),
            Some(110),
            "committed in the next epoch"
        );
        assert_eq!(reveal(10, 0, 7, 50, 20, 3), Some(160));
    }

    #[test]
    fn the_older_schedule_follows_the_block_number() {
        let runs = |block: u32| (block + 1 + 1).is_multiple_of(11);
        for block in 20..60 {
            let schedule = by_block_number(NetUid(1), 10, BlockNumber(block));
            assert!(
                runs(schedule.last_epoch_block.0) && runs(schedule.next_epoch_block.0),
                "{schedule:?} at {block}"
            );
            assert_eq!(
                schedule.next_epoch_block.0 - schedule.last_epoch_block.0,
                11
            );
            assert!(schedule.last_epoch_block.0 <= block && block < schedule.next_epoch_block.0);
        }
    }
}
