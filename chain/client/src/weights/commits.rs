//! What the chain knows of a validator's commits, and what that means for those in the journal.

use std::cmp::Ordering;

use athanor_spec::{BlockNumber, Digest, Epoch};

use super::{
    SetWeightsError,
    journal::{Entry, Kind},
    same_row,
    standing::Standing,
    stored_row,
};
use crate::{
    ReadError,
    block::height,
    items,
    schedule::legacy_epoch,
    state::{State, account},
    submit::ERA_BLOCKS,
};

/// A timelocked commit on chain: who, in which block, the ciphertext, its round.
type TimelockedCommit = ([u8; 32], u64, Vec<u8>, u64);

/// A hash commit on chain: the hash, then its epoch and block; in older runtimes its block, then the first and the last
/// block of its reveal.
type HashCommit = ([u8; 32], u64, u64, u64);

/// What the chain knows of a validator's commits.
pub(super) struct ChainView {
    commits: Vec<HashCommit>,
    row: Vec<(u16, u16)>,
}

/// Whether a commit's time has come.
pub(super) enum Turn<'a> {
    Waits,
    Due { salt: &'a [u16] },
    Shown,
    Lost,
}

impl ChainView {
    pub(super) async fn read(state: &State, standing: &Standing) -> Result<Self, ReadError> {
        let mut batch = state.batch();
        let key = (standing.netuid.0, account(&standing.hotkey));
        let commits = batch.ask_known::<Vec<HashCommit>>(items::WEIGHT_COMMITS, key)?;
        let commits = batch.send().await?.get_known(commits)?.unwrap_or_default();
        Ok(Self {
            commits,
            row: stored_row(state, standing).await?,
        })
    }

    pub(super) fn turn_of<'a>(&self, entry: &'a Entry, standing: &Standing) -> Turn<'a> {
        match &entry.kind {
            Kind::Hash { hash, salt } => self.turn_of_hash(entry, *hash, salt, standing),
            Kind::Timelocked { .. } => {
                let over = entry.reveal_block.saturating_add(standing.cycle.length);
                if standing.block.0 < entry.reveal_block {
                    Turn::Waits
                } else if same_row(&entry.weights, &self.row) {
                    Turn::Shown
                } else if standing.block.0 < over {
                    Turn::Waits
                } else {
                    Turn::Lost
                }
            }
        }
    }

    fn turn_of_hash<'a>(
        &self,
        entry: &Entry,
        hash: Digest,
        salt: &'a [u16],
        standing: &Standing,
    ) -> Turn<'a> {
        let Some((_, place, ..)) = self.commits.iter().find(|(known, ..)| *known == hash.0) else {
            let may_come = entry.included_at.is_none()
                && u64::from(standing.block.0) <= u64::from(entry.signed_at) + ERA_BLOCKS;
            return match (may_come, same_row(&entry.weights, &self.row)) {
                (true, _) => Turn::Waits,
                // A reveal of before a crash took effect.
                (false, true) => Turn::Shown,
                (false, false) => Turn::Lost,
            };
        };
        let turn = turn(*place, standing);
        match next_epoch(standing).cmp(&turn) {
            Ordering::Less => Turn::Waits,
            Ordering::Equal => Turn::Due { salt },
            Ordering::Greater => Turn::Lost,
        }
    }

    /// Whether a commit of this hash is there.
    pub(super) fn holds(&self, hash: Digest) -> bool {
        self.commits.iter().any(|(known, ..)| *known == hash.0)
    }

    /// Commits whose turn has not passed: those that the chain counts against its limit.
    pub(super) fn waiting(&self, standing: &Standing) -> usize {
        let next = next_epoch(standing);
        let open = |(_, place, ..): &&HashCommit| turn(*place, standing) >= next;
        self.commits.iter().filter(open).count()
    }
}

/// The epoch in which a hash commit is revealed; `place` is what the chain notes of its time.
fn turn(place: u64, standing: &Standing) -> u64 {
    let committed = match standing.cycle.counted {
        true => Epoch(place),
        false => legacy_epoch(standing.netuid, standing.schedule().tempo, height(place)),
    };
    committed.0 + standing.reveal_period
}

/// The epoch that the next block belongs to.
fn next_epoch(standing: &Standing) -> u64 {
    standing.cycle.epoch_in(BlockNumber(standing.block.0 + 1)).0
}

/// Whether a block's state holds this timelocked commit, among those of the epoch that the block belongs to.
pub(super) async fn holds_timelocked(
    state: &State,
    standing: &Standing,
    ciphertext: &[u8],
    round: u64,
) -> Result<bool, SetWeightsError> {
    let now = Standing::read(state, standing.netuid, &standing.hotkey).await?;
    let mut batch = state.batch();
    let key = (standing.netuid.0, now.schedule().epoch.0);
    let ask = batch.ask::<Vec<TimelockedCommit>>(items::TIMELOCKED_COMMITS, key)?;
    let commits = batch.send().await?.get(ask)?.unwrap_or_default();
    Ok(commits.iter().any(|(who, _, commit, at)| {
        *who == standing.hotkey.0 && commit == ciphertext && *at == round
    }))
}
