//! Commits that a round of public randomness opens.

use alloc::{collections::BTreeSet, vec::Vec};
use frame_support::ensure;
use sp_runtime::{
    AccountId32, DispatchResult,
    traits::{BlakeTwo256, Hash},
};

use super::*;
use crate::{drand::Rounds, subtensor::weights::Given};

impl<T: Config> Pallet<T> {
    /// Takes a ciphertext that the signature of round `reveal_round` opens (`internal_commit_timelocked_weights`).
    pub(in crate::subtensor) fn do_commit_timelocked_weights(
        hotkey: &AccountId32,
        netuid: NetUid,
        mecid: u8,
        commit: TimelockedCommit,
        reveal_round: u64,
        version: u16,
    ) -> DispatchResult {
        Self::check_mechanism(netuid, mecid)?;
        ensure!(
            CommitRevealWeightsEnabled::<T>::get(netuid),
            Error::<T>::CommitRevealDisabled
        );
        ensure!(
            version == CommitRevealWeightsVersion::<T>::get(),
            Error::<T>::IncorrectCommitRevealVersion
        );
        let uid = Self::check_commit(hotkey, netuid, mecid)?;
        let epoch = Self::epoch_with_lookahead(netuid);
        let mut commits = TimelockedWeightCommits::<T>::get(netuid, epoch);
        ensure!(
            commits.iter().filter(|(who, ..)| who == hotkey).count() < MOST_COMMITS,
            Error::<T>::TooManyUnrevealedCommits
        );
        let hash = BlakeTwo256::hash(&commit);
        commits.push_back((hotkey.clone(), Self::current_block(), commit, reveal_round));
        TimelockedWeightCommits::<T>::insert(netuid, epoch, commits);
        Self::touch(netuid, uid);
        let who = hotkey.clone();
        Self::deposit_event(Event::TimelockedWeightsCommitted(
            who,
            netuid,
            hash,
            reveal_round,
        ));
        Ok(())
    }

    /// Opens what can be opened of the commits whose turn it is, and drops those whose turn has passed. One whose round
    /// is not known yet is tried again in every block of its epoch; one that does not open, or that hides another
    /// hotkey's weights or invalid ones, is dropped (`reveal_crv3_commits_for_subnet`).
    pub(in crate::subtensor) fn reveal_timelocked(netuid: NetUid) {
        let epoch = Self::epoch_with_lookahead(netuid);
        let Some(turn) = epoch.checked_sub(RevealPeriodEpochs::<T>::get(netuid)) else {
            return;
        };
        let past: Vec<u64> = TimelockedWeightCommits::<T>::iter_key_prefix(netuid)
            .filter(|committed| *committed < turn)
            .collect();
        for committed in past {
            TimelockedWeightCommits::<T>::remove(netuid, committed);
        }
        if !TimelockedWeightCommits::<T>::contains_key(netuid, turn) {
            return;
        }
        let mut commits = TimelockedWeightCommits::<T>::take(netuid, turn);
        commits.retain(|(hotkey, block, commit, round)| {
            let Some(signature) = T::Rounds::signature(*round) else {
                return true;
            };
            Self::open(hotkey, netuid, *block, commit, &signature);
            false
        });
        if !commits.is_empty() {
            TimelockedWeightCommits::<T>::insert(netuid, turn, commits);
        }
    }

    fn open(hotkey: &AccountId32, netuid: NetUid, block: u64, commit: &[u8], signature: &[u8]) {
        let Some(payload) = crate::drand::open(commit, signature)
            .and_then(|bytes| WeightsTlockPayload::of(hotkey, &bytes))
        else {
            return;
        };
        let given = Given {
            uids: &payload.uids,
            values: &payload.values,
            version_key: payload.version_key,
            committed_at: Some(block),
        };
        if Self::put_weights(hotkey, netuid, 0, &given).is_ok() {
            Self::deposit_event(Event::TimelockedWeightsRevealed(netuid, hotkey.clone()));
        }
    }

    /// The rounds that commits of this subnet wait for and that are not known yet, from the oldest turn that has not
    /// passed.
    pub(crate) fn awaited_rounds(netuid: NetUid) -> BTreeSet<u64> {
        let epoch = Self::epoch_with_lookahead(netuid);
        let turn = epoch.saturating_sub(RevealPeriodEpochs::<T>::get(netuid));
        TimelockedWeightCommits::<T>::iter_prefix(netuid)
            .filter(|(committed, _)| *committed >= turn)
            .flat_map(|(_, commits)| commits)
            .map(|(.., round)| round)
            .filter(|round| T::Rounds::signature(*round).is_none())
            .collect()
    }
}
