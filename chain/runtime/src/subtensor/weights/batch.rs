//! Weights for several subnets at once. What fails is reported by event and does not stop the rest.

use alloc::vec::Vec;
use codec::Compact;
use frame_support::{ensure, storage::with_storage_layer};
use sp_core::H256;
use sp_runtime::{AccountId32, DispatchResult};

use super::*;

impl<T: Config> Pallet<T> {
    /// Sets weights on several subnets (`do_batch_set_weights`).
    pub(in crate::subtensor) fn do_batch_set_weights(
        hotkey: AccountId32,
        netuids: Vec<Compact<NetUid>>,
        weights: &[Vec<(Compact<u16>, Compact<u16>)>],
        version_keys: &[Compact<u64>],
    ) -> DispatchResult {
        ensure!(
            netuids.len() == weights.len() && netuids.len() == version_keys.len(),
            Error::<T>::InputLengthsUnequal
        );
        let set = |index: usize, netuid: NetUid| {
            let (uids, values): (Vec<u16>, Vec<u16>) = weights[index]
                .iter()
                .map(|(uid, value)| (uid.0, value.0))
                .unzip();
            let given = Given {
                uids: &uids,
                values: &values,
                version_key: version_keys[index].0,
                committed_at: None,
            };
            Self::do_set_weights(&hotkey, netuid, 0, &given)
        };
        Self::run_batch(hotkey.clone(), netuids, set);
        Ok(())
    }

    /// Commits weights on several subnets (`do_batch_commit_weights`).
    pub(in crate::subtensor) fn do_batch_commit_weights(
        hotkey: AccountId32,
        netuids: Vec<Compact<NetUid>>,
        hashes: &[H256],
    ) -> DispatchResult {
        ensure!(
            netuids.len() == hashes.len(),
            Error::<T>::InputLengthsUnequal
        );
        let commit = |index: usize, netuid: NetUid| {
            Self::do_commit_weights(&hotkey, netuid, 0, hashes[index])
        };
        Self::run_batch(hotkey.clone(), netuids, commit);
        Ok(())
    }

    fn run_batch(
        hotkey: AccountId32,
        netuids: Vec<Compact<NetUid>>,
        item: impl Fn(usize, NetUid) -> DispatchResult,
    ) {
        let mut failed = false;
        for (index, netuid) in netuids.iter().enumerate() {
            if let Err(error) = with_storage_layer(|| item(index, netuid.0)) {
                if !failed {
                    Self::deposit_event(Event::BatchCompletedWithErrors());
                }
                failed = true;
                Self::deposit_event(Event::BatchWeightItemFailed(error));
            }
        }
        Self::deposit_event(Event::BatchWeightsCompleted(netuids, hotkey));
    }
}
