//! Weights that are committed first and shown later, so that nobody copies them while they matter.
//!
//! A commit belongs to the epoch in which it is made and is shown `RevealPeriodEpochs` epochs later: a hash commit by
//! its owner's [`reveal`](hashed), a timelocked one by the chain itself once the round of randomness that opens it is
//! known. One that is shown neither too early nor at all has expired. Weights are always those for the neurons that were
//! registered when they were committed: an entry for a UID that has changed hands since is void.

mod hashed;
mod payload;
mod timelocked;

use alloc::vec::Vec;
use athanor_yuma::Commit;
use frame_support::ensure;
use sp_runtime::{AccountId32, DispatchResult};

use super::*;
pub(super) use hashed::Revealed;
pub use payload::WeightsTlockPayload;

/// Most commits of a hotkey that wait to be shown; of timelocked ones, per epoch.
const MOST_COMMITS: usize = 10;

impl<T: Config> Pallet<T> {
    /// The subnet's epoch, or the next one if it comes due in this block (`current_epoch_with_lookahead`).
    pub(super) fn epoch_with_lookahead(netuid: NetUid) -> u64 {
        let schedule = Self::schedule(netuid);
        let due = schedule.is_due(Self::current_block());
        schedule.epoch_index.saturating_add(due.into())
    }

    /// Whether a commit of this epoch is shown in the current one (`is_reveal_block_range`).
    pub(super) fn is_reveal_epoch(netuid: NetUid, committed: u64) -> bool {
        Self::epoch_with_lookahead(netuid)
            == committed.saturating_add(RevealPeriodEpochs::<T>::get(netuid))
    }

    /// Whether it is too late for a commit of this epoch (`is_commit_expired`).
    pub(super) fn is_commit_expired(netuid: NetUid, committed: u64) -> bool {
        Self::epoch_with_lookahead(netuid)
            > committed.saturating_add(RevealPeriodEpochs::<T>::get(netuid))
    }

    /// The checks that every kind of commit passes; the UID of the hotkey.
    fn check_commit(hotkey: &AccountId32, netuid: NetUid, mecid: u8) -> Result<u16, Error<T>> {
        Self::check_mechanism(netuid, mecid)?;
        ensure!(
            CommitRevealWeightsEnabled::<T>::get(netuid),
            Error::<T>::CommitRevealDisabled
        );
        let uid = Uids::<T>::get(netuid, hotkey).ok_or(Error::<T>::HotKeyNotRegisteredInSubNet)?;
        ensure!(
            Self::weights_are_due(netuid, uid),
            Error::<T>::CommittingWeightsTooFast
        );
        Ok(uid)
    }

    /// A commit counts as an update of the weights.
    fn touch(netuid: NetUid, uid: u16) {
        let block = Self::current_block();
        LastUpdate::<T>::mutate(netuid, |blocks| registration::set(blocks, uid, block));
    }

    /// The hash commits of a subnet that wait to be shown, per UID in order, as an epoch looks at them.
    pub(super) fn hash_commits(netuid: NetUid, hotkeys: &[AccountId32]) -> Vec<Commit> {
        let mut commits = Vec::new();
        for (uid, hotkey) in (0_u16..).zip(hotkeys) {
            let queue = WeightCommits::<T>::get(netuid, hotkey).unwrap_or_default();
            commits.extend(queue.into_iter().map(|(_, epoch, block, _)| Commit {
                uid,
                epoch,
                block,
            }));
        }
        commits
    }

    /// The timelocked commits of a subnet, as an epoch looks at them.
    pub(super) fn timelocked_commits(netuid: NetUid) -> Vec<Commit> {
        let mut commits = Vec::new();
        for (epoch, entries) in TimelockedWeightCommits::<T>::iter_prefix(netuid) {
            for (hotkey, block, _, _) in entries {
                if let Some(uid) = Uids::<T>::get(netuid, &hotkey) {
                    commits.push(Commit { uid, epoch, block });
                }
            }
        }
        commits
    }

    /// Sets how many epochs pass from a commit to its reveal (`set_reveal_period`).
    pub fn put_reveal_period(netuid: NetUid, epochs: u64) -> DispatchResult {
        ensure!(epochs <= 100, Error::<T>::RevealPeriodTooLarge);
        ensure!(epochs >= 1, Error::<T>::RevealPeriodTooSmall);
        RevealPeriodEpochs::<T>::insert(netuid, epochs);
        Self::deposit_event(Event::CommitRevealPeriodsSet(netuid, epochs));
        Ok(())
    }
}
