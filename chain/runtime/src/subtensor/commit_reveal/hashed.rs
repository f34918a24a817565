//! Commits by hash, which their owner reveals.

use alloc::{collections::VecDeque, vec::Vec};
use frame_support::ensure;
use sp_core::H256;
use sp_runtime::{
    AccountId32, DispatchResult,
    traits::{BlakeTwo256, Hash},
};

use super::*;
use crate::subtensor::weights::Given;

/// Commits of a hotkey: (hash, epoch, block, 0).
type Queue = VecDeque<(H256, u64, u64, u64)>;

/// Weights as they are revealed.
pub(in crate::subtensor) struct Revealed {
    pub(in crate::subtensor) uids: Vec<u16>,
    pub(in crate::subtensor) values: Vec<u16>,
    pub(in crate::subtensor) salt: Vec<u16>,
    pub(in crate::subtensor) version_key: u64,
}

impl Revealed {
    /// Weights from their parts; nothing if there are not as many of each.
    pub(in crate::subtensor) fn zip(
        uids: Vec<Vec<u16>>,
        values: Vec<Vec<u16>>,
        salts: Vec<Vec<u16>>,
        version_keys: Vec<u64>,
    ) -> Option<Vec<Self>> {
        let count = uids.len();
        let equal = [values.len(), salts.len(), version_keys.len()] == [count; 3];
        let rows = uids.into_iter().zip(values);
        let rest = salts.into_iter().zip(version_keys);
        equal.then(|| {
            rows.zip(rest)
                .map(|((uids, values), (salt, version_key))| Self {
                    uids,
                    values,
                    salt,
                    version_key,
                })
                .collect()
        })
    }

    /// What the hotkey must have committed: BLAKE2b-256 of the SCALE encoding of the hotkey, the subnet's storage index
    /// and the weights (`get_commit_hash`).
    pub(in crate::subtensor) fn hash(&self, hotkey: &AccountId32, netuid: NetUid) -> H256 {
        let Self {
            uids,
            values,
            salt,
            version_key,
        } = self;
        BlakeTwo256::hash_of(&(hotkey, netuid, uids, values, salt, version_key))
    }
}

impl<T: Config> Pallet<T> {
    /// Takes a commit (`internal_commit_weights`).
    pub(in crate::subtensor) fn do_commit_weights(
        hotkey: &AccountId32,
        netuid: NetUid,
        mecid: u8,
        hash: H256,
    ) -> DispatchResult {
        let uid = Self::check_commit(hotkey, netuid, mecid)?;
        let mut queue = WeightCommits::<T>::get(netuid, hotkey).unwrap_or_default();
        Self::drop_expired(netuid, &mut queue);
        ensure!(
            queue.len() < MOST_COMMITS,
            Error::<T>::TooManyUnrevealedCommits
        );
        let epoch = Self::epoch_with_lookahead(netuid);
        queue.push_back((hash, epoch, Self::current_block(), 0));
        WeightCommits::<T>::insert(netuid, hotkey, queue);
        Self::touch(netuid, uid);
        Self::deposit_event(Event::WeightsCommitted(hotkey.clone(), netuid, hash));
        Ok(())
    }

    /// Sets weights that were committed. Commits that were made before these are dropped (`internal_reveal_weights`).
    pub(in crate::subtensor) fn do_reveal_weights(
        hotkey: &AccountId32,
        netuid: NetUid,
        mecid: u8,
        revealed: &Revealed,
    ) -> DispatchResult {
        Self::check_mechanism(netuid, mecid)?;
        let (mut queue, expired) = Self::waiting(hotkey, netuid)?;
        let hash = revealed.hash(hotkey, netuid);
        let position = Self::find_commit(netuid, &queue, &expired, hash)?;
        let block = queue[position].2;
        queue.drain(..=position);
        Self::put_queue(hotkey, netuid, queue);
        Self::set_revealed(hotkey, netuid, mecid, revealed, block)?;
        Self::deposit_event(Event::WeightsRevealed(hotkey.clone(), netuid, hash));
        Ok(())
    }

    /// Sets several weights that were committed, each in its turn, or none (`do_batch_reveal_weights`).
    pub(in crate::subtensor) fn do_batch_reveal_weights(
        hotkey: &AccountId32,
        netuid: NetUid,
        reveals: &[Revealed],
    ) -> DispatchResult {
        let (mut queue, expired) = Self::waiting(hotkey, netuid)?;
        let mut hashes = Vec::new();
        for revealed in reveals {
            let hash = revealed.hash(hotkey, netuid);
            let position = Self::find_commit(netuid, &queue, &expired, hash)?;
            if let Some((_, _, block, _)) = queue.remove(position) {
                Self::set_revealed(hotkey, netuid, 0, revealed, block)?;
            }
            hashes.push(hash);
        }
        Self::put_queue(hotkey, netuid, queue);
        Self::deposit_event(Event::WeightsBatchRevealed(hotkey.clone(), netuid, hashes));
        Ok(())
    }

    /// Whether these weights may be revealed now, without doing so.
    pub(in crate::subtensor) fn check_reveal(
        hotkey: &AccountId32,
        netuid: NetUid,
        revealed: &Revealed,
    ) -> Result<(), Error<T>> {
        let (queue, expired) = Self::waiting(hotkey, netuid)?;
        Self::find_commit(netuid, &queue, &expired, revealed.hash(hotkey, netuid)).map(|_| ())
    }

    /// The commits of `hotkey` that have not expired, and the hashes of those that have.
    fn waiting(hotkey: &AccountId32, netuid: NetUid) -> Result<(Queue, Vec<H256>), Error<T>> {
        ensure!(
            CommitRevealWeightsEnabled::<T>::get(netuid),
            Error::<T>::CommitRevealDisabled
        );
        let mut queue =
            WeightCommits::<T>::get(netuid, hotkey).ok_or(Error::<T>::NoWeightsCommitFound)?;
        let expired = Self::drop_expired(netuid, &mut queue);
        Ok((queue, expired))
    }

    fn drop_expired(netuid: NetUid, queue: &mut Queue) -> Vec<H256> {
        let mut expired = Vec::new();
        while let Some((hash, epoch, _, _)) = queue.front() {
            if !Self::is_commit_expired(netuid, *epoch) {
                break;
            }
            expired.push(*hash);
            queue.pop_front();
        }
        expired
    }

    /// Where the commit with this hash is, if it may be revealed now.
    fn find_commit(
        netuid: NetUid,
        queue: &Queue,
        expired: &[H256],
        hash: H256,
    ) -> Result<usize, Error<T>> {
        let Some(position) = queue.iter().position(|(known, ..)| *known == hash) else {
            return Err(match (expired.contains(&hash), queue.is_empty()) {
                (true, _) => Error::<T>::ExpiredWeightCommit,
                (false, true) => Error::<T>::NoWeightsCommitFound,
                (false, false) => Error::<T>::InvalidRevealCommitHashNotMatch,
            });
        };
        ensure!(
            Self::is_reveal_epoch(netuid, queue[position].1),
            Error::<T>::RevealTooEarly
        );
        Ok(position)
    }

    fn put_queue(hotkey: &AccountId32, netuid: NetUid, queue: Queue) {
        match queue.is_empty() {
            true => WeightCommits::<T>::remove(netuid, hotkey),
            false => WeightCommits::<T>::insert(netuid, hotkey, queue),
        }
    }

    fn set_revealed(
        hotkey: &AccountId32,
        netuid: NetUid,
        mecid: u8,
        revealed: &Revealed,
        block: u64,
    ) -> DispatchResult {
        let given = Given {
            uids: &revealed.uids,
            values: &revealed.values,
            version_key: revealed.version_key,
            committed_at: Some(block),
        };
        Self::put_weights(hotkey, netuid, mecid, &given)
    }
}
