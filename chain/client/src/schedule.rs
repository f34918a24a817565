//! When a subnet's epochs run.

use athanor_spec::{BlockNumber, Digest, Epoch, NetUid};

use crate::{
    Client, ReadError,
    block::height,
    items,
    state::{Answers, Ask, Batch, State},
};

/// A subnet's epoch schedule as the chain holds it at one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        let tempo = answers.get(self.tempo)?.unwrap_or_default();
        let Some(stateful) = &self.stateful else {
            return Ok(by_block_number(self.netuid, tempo, state.block().number));
        };
        let last = answers.get(stateful.last)?.unwrap_or_default();
        let pending = answers.get(stateful.pending)?.unwrap_or_default();
        Ok(EpochSchedule {
            tempo,
            epoch: Epoch(answers.get(stateful.epoch)?.unwrap_or_default()),
            last_epoch_block: height(last),
            next_epoch_block: next_epoch_block(tempo, last, pending),
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

/// Subtensor's schedule before it became stateful: an epoch runs where `(block + netuid + 1) % (tempo + 1) == 0`.
fn by_block_number(netuid: NetUid, tempo: u16, block: BlockNumber) -> EpochSchedule {
    let shifted = u64::from(block.0) + u64::from(netuid.0) + 1;
    let period = u64::from(tempo) + 1;
    let since = shifted % period;
    EpochSchedule {
        tempo,
        epoch: Epoch(shifted / period),
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
