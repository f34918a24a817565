//! The round under way: which asks are due at which block, and when weights are.

use std::collections::VecDeque;

use athanor_chain::{EpochSchedule, Metagraph, Neuron};
use athanor_net::PeerAddress;
use athanor_scoring::{
    round::{Artifact, SeenMiner},
    transcript::Head,
};
use athanor_spec::{Account, BlockNumber, Digest, Hotkey, Round, SubnetSpec, Uid};
use tokio_util::sync::CancellationToken;

use crate::{book::ClosedRound, plan::PlannedAsk};

/// A miner that is asked in this round, as the chain showed it in the round's first block.
#[derive(Clone, Debug)]
pub struct RoundMiner {
    /// Whose ledger record the answers go to.
    pub account: Account,
    /// Slot.
    pub uid: Uid,
    /// Where it serves.
    pub peer: PeerAddress,
    /// Checkpoint that it committed to before the round's prompts could be known.
    pub checkpoint: Digest,
    /// Block of that commitment.
    pub committed_at: BlockNumber,
    /// Checkpoint that it had committed to in the round before: a swap may lag the epoch by a block.
    pub previous: Option<Digest>,
}

impl RoundMiner {
    /// The neuron as a miner to ask, or `None` when it is no miner: no axon, or no checkpoint committed.
    pub fn of(neuron: &Neuron) -> Option<Self> {
        let (commitment, committed_at) = neuron.commitment?;
        Some(Self {
            account: Account {
                hotkey: neuron.hotkey,
                registered_at: neuron.registered_at,
            },
            uid: neuron.uid,
            peer: PeerAddress {
                peer_key: commitment.peer_key,
                addr: neuron.axon?,
            },
            checkpoint: commitment.checkpoint()?,
            committed_at,
            previous: None,
        })
    }

    /// The miner as a transcript shows it, before anything is known of its checkpoint. `asks` is how many it gets.
    pub fn seen(&self, asks: u32) -> SeenMiner {
        SeenMiner {
            account: self.account,
            uid: self.uid,
            peer_key: self.peer.peer_key,
            checkpoint: self.checkpoint,
            committed_at: self.committed_at,
            previous: self.previous,
            asks,
            artifact: Artifact::Missing,
        }
    }
}

/// What the blocks of an epoch are used for, counted from the epoch's first block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timetable {
    /// First block of the epoch, in which the last epoch was settled: its hash seeds the round.
    pub first: BlockNumber,
    /// Asks go out from the block after `first`, over this many blocks.
    pub ask_blocks: u32,
    /// First block at which weights may be set.
    pub submit_from: BlockNumber,
    /// Last block at which it makes sense to set weights for this epoch.
    pub submit_until: BlockNumber,
}

impl Timetable {
    /// Lays an epoch out. An epoch too short for a round still gets one block for each part.
    pub fn of(schedule: &EpochSchedule, spec: &SubnetSpec) -> Self {
        let first = schedule.last_epoch_block.0;
        let last = schedule.next_epoch_block.0.saturating_sub(1).max(first);
        let blocks = last - first + 1;
        let ask_blocks = (f64::from(blocks) * spec.round.ask_window_share).ceil() as u32;
        let ask_blocks = ask_blocks.clamp(1, blocks.saturating_sub(3).max(1));
        Self {
            first: BlockNumber(first),
            ask_blocks,
            submit_from: BlockNumber((first + 1 + ask_blocks).min(last)),
            submit_until: BlockNumber(last),
        }
    }
}

/// The state of one round of one validator.
#[derive(Debug)]
pub struct ActiveRound {
    /// Which round.
    pub round: Round,
    /// Its blocks.
    pub timetable: Timetable,
    /// How it was drawn, as its transcript will say.
    pub head: Head,
    /// Whom it asks.
    pub miners: Vec<RoundMiner>,
    /// Asks that were sent and have no outcome in the ledger yet.
    pub outstanding: usize,
    /// What stays of it, once it is closed.
    pub closed: Option<ClosedRound>,
    /// Whether nothing more comes of comparing its models.
    pub compared: bool,
    /// Whether weights were set, or found to be set already.
    pub submitted: bool,
    /// Whether its root is on chain, or cannot come there any more.
    pub published: bool,
    /// Cancelled when it takes no more: what is under way then is written down as it stands.
    pub over: CancellationToken,
    queue: VecDeque<PlannedAsk>,
}

impl ActiveRound {
    /// A round with its plan, less the asks that already have an outcome in the ledger. One that was closed before a
    /// restart has none left.
    pub fn new(
        timetable: Timetable,
        head: Head,
        miners: Vec<RoundMiner>,
        plan: Vec<PlannedAsk>,
        closed: Option<ClosedRound>,
    ) -> Self {
        Self {
            round: head.round,
            timetable,
            head,
            miners,
            outstanding: 0,
            closed,
            compared: false,
            submitted: false,
            published: false,
            over: CancellationToken::new(),
            queue: plan.into(),
        }
    }

    /// Takes the asks that are due at `block`. A validator that missed blocks catches up at once.
    pub fn due(&mut self, block: BlockNumber) -> Vec<PlannedAsk> {
        let elapsed = block.0.saturating_sub(self.timetable.first.0);
        let mut due = Vec::new();
        // Offset 0 goes out one block after the first: by then every miner has seen the epoch change.
        while self
            .queue
            .front()
            .is_some_and(|planned| planned.block_offset < elapsed)
        {
            due.extend(self.queue.pop_front());
        }
        due
    }

    /// Asks not sent yet.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether weights should be set now: everything is in the ledger and compared, or there is no more time to wait.
    pub fn should_submit(&self, block: BlockNumber) -> bool {
        let settled = self.queue.is_empty() && self.outstanding == 0 && self.compared;
        !self.submitted && (settled || self.ends_within(2, block)) && self.may_submit(block)
    }

    /// Takes no more if weights must be set with the next block: what was answered by then is written down in between,
    /// judged or not.
    pub fn end_in_time(&self, block: BlockNumber) {
        if self.ends_within(3, block) && self.may_submit(block) {
            self.over.cancel();
        }
    }

    /// Takes no more; whether anything that is under way is still to be written down.
    pub fn end(&self) -> bool {
        let first = !self.over.is_cancelled();
        self.over.cancel();
        first && self.outstanding > 0
    }

    fn may_submit(&self, block: BlockNumber) -> bool {
        block >= self.timetable.submit_from
    }

    fn ends_within(&self, blocks: u32, block: BlockNumber) -> bool {
        block.0 + blocks >= self.timetable.submit_until.0
    }

    /// The miner with this hotkey.
    pub fn miner(&self, hotkey: &Hotkey) -> Option<&RoundMiner> {
        self.miners
            .iter()
            .find(|miner| miner.account.hotkey == *hotkey)
    }
}

/// The miners of a metagraph in UID order, without the validator itself.
pub fn miners_of(metagraph: &Metagraph, own: &Hotkey) -> Vec<RoundMiner> {
    metagraph
        .neurons
        .iter()
        .filter(|neuron| neuron.hotkey != *own)
        .filter_map(RoundMiner::of)
        .collect()
}

#[cfg(test)]
mod tests {
    use athanor_spec::Epoch;

    use super::*;

    fn schedule(last: u32, next: u32) -> EpochSchedule {
        EpochSchedule {
            tempo: (next - last - 1) as u16,
            epoch: Epoch(3),
            last_epoch_block: BlockNumber(last),
            next_epoch_block: BlockNumber(next),
        }
    }

    #[test]
    fn a_timetable_leaves_room_for_weights_before_the_epoch_ends() {
        let spec = SubnetSpec::local();
        for length in 1..400 {
            let table = Timetable::of(&schedule(100, 100 + length), &spec);
            assert!(table.ask_blocks >= 1);
            assert!(
                table.submit_from <= table.submit_until,
                "length {length}: {table:?}"
            );
            assert!(
                table.submit_until.0 < (100 + length).max(102),
                "length {length}: {table:?}"
            );
        }
    }

    #[test]
    fn what_is_under_way_is_written_down_in_the_block_before_weights_must_be_set() {
        let timetable = Timetable::of(&schedule(100, 121), &SubnetSpec::local());
        let head = crate::book::tests::head(3);
        let mut round = ActiveRound::new(timetable, head, Vec::new(), Vec::new(), None);
        round.outstanding = 2;
        let last = timetable.submit_until.0;
        let at = |round: &ActiveRound, block: u32| {
            round.end_in_time(BlockNumber(block));
            (
                round.over.is_cancelled(),
                round.should_submit(BlockNumber(block)),
            )
        };
        assert_eq!(at(&round, last - 4), (false, false));
        assert_eq!(at(&round, last - 3), (true, false));
        assert!(!round.end(), "it was over before");
        // Both were written down.
        round.outstanding = 0;
        round.compared = true;
        assert_eq!(at(&round, last - 3), (true, true));
        // Or one of them was not.
        round.outstanding = 1;
        assert_eq!(at(&round, last - 2), (true, true));
    }

    #[test]
    fn a_longer_epoch_gives_longer_ask_windows() {
        let spec = SubnetSpec::local();
        let short = Timetable::of(&schedule(0, 20), &spec);
        let long = Timetable::of(&schedule(0, 361), &spec);
        assert!(short.ask_blocks < long.ask_blocks);
        assert_eq!(short.first, BlockNumber(0));
    }
}
