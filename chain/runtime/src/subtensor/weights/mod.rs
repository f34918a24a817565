//! Take the validators' weights.

mod batch;
mod pool;

use alloc::vec::Vec;
use frame_support::ensure;
use sp_runtime::{AccountId32, DispatchResult};

use super::*;

/// Weights that a hotkey gives.
pub(super) struct Given<'a> {
    /// To whom.
    pub(super) uids: &'a [u16],
    /// How much, in any unit.
    pub(super) values: &'a [u16],
    /// Version of the software that found them.
    pub(super) version_key: u64,
    /// Block in which they were committed, if they were: what they say of a UID that has changed hands since is void.
    pub(super) committed_at: Option<u64>,
}

impl<T: Config> Pallet<T> {
    /// Sets weights in the open (`set_weights`).
    pub(super) fn do_set_weights(
        hotkey: &AccountId32,
        netuid: NetUid,
        mecid: u8,
        given: &Given<'_>,
    ) -> DispatchResult {
        ensure!(netuid != 0, Error::<T>::CanNotSetRootNetworkWeights);
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            !CommitRevealWeightsEnabled::<T>::get(netuid),
            Error::<T>::CommitRevealEnabled
        );
        Self::put_weights(hotkey, netuid, mecid, given)
    }

    /// Stores the weights of `hotkey`, scaled so that the largest is 65535. The checks and their order are those of
    /// `internal_set_weights`, but that a subnet which does not exist is called so.
    pub(super) fn put_weights(
        hotkey: &AccountId32,
        netuid: NetUid,
        mecid: u8,
        given: &Given<'_>,
    ) -> DispatchResult {
        let (uids, values) = (given.uids, given.values);
        ensure!(netuid != 0, Error::<T>::CanNotSetRootNetworkWeights);
        ensure!(
            uids.len() == values.len(),
            Error::<T>::WeightVecNotEqualSize
        );
        Self::check_mechanism(netuid, mecid)?;
        let n = SubnetworkN::<T>::get(netuid);
        ensure!(
            uids.len() <= usize::from(n),
            Error::<T>::UidsLengthExceedUidsInSubNet
        );
        let uid = Uids::<T>::get(netuid, hotkey).ok_or(Error::<T>::HotKeyNotRegisteredInSubNet)?;
        Self::check_weights_stake(hotkey, netuid)?;
        let oldest_version = WeightsVersionKey::<T>::get(netuid);
        ensure!(
            oldest_version == 0 || given.version_key >= oldest_version,
            Error::<T>::IncorrectWeightVersionKey
        );
        ensure!(
            given.committed_at.is_some() || Self::weights_are_due(netuid, uid),
            Error::<T>::SettingWeightsTooFast
        );
        let weights = Self::check_row(netuid, n, uid, uids, values)?;

        let row = uids.iter().copied().zip(weights);
        let row: Vec<(u16, u16)> = match given.committed_at {
            None => row.collect(),
            Some(block) => row.map(|entry| Self::void(netuid, entry, block)).collect(),
        };
        Weights::<T>::insert(netuid, uid, row);
        if given.committed_at.is_none() {
            let block = Self::current_block();
            LastUpdate::<T>::mutate(netuid, |blocks| registration::set(blocks, uid, block));
        }
        Self::deposit_event(Event::WeightsSet(netuid, uid));
        Ok(())
    }

    /// Whether `uid` may give these weights, and the weights scaled. A neuron may always vote for itself alone; nothing
    /// more is asked of such a vote.
    fn check_row(
        netuid: NetUid,
        n: u16,
        uid: u16,
        uids: &[u16],
        values: &[u16],
    ) -> Result<Vec<u16>, Error<T>> {
        let for_itself = uids == [uid];
        let permit = Self::owner_uid(netuid) == Some(uid)
            || ValidatorPermit::<T>::get(netuid).get(usize::from(uid)) == Some(&true);
        ensure!(for_itself || permit, Error::<T>::NeuronNoValidatorPermit);
        let mut sorted = uids.to_vec();
        sorted.sort_unstable();
        ensure!(
            sorted.windows(2).all(|pair| pair[0] != pair[1]),
            Error::<T>::DuplicateUids
        );
        ensure!(
            sorted.last().is_none_or(|last| *last < n),
            Error::<T>::UidVecContainInvalidOne
        );
        let fewest = MinAllowedWeights::<T>::get(netuid).min(n);
        ensure!(
            for_itself || uids.len() >= usize::from(fewest),
            Error::<T>::WeightVecLengthIsLow
        );
        let weights = max_upscale(values);
        ensure!(
            for_itself || within_limit(&weights, MaxWeightsLimit::<T>::get(netuid)),
            Error::<T>::MaxWeightExceeded
        );
        Ok(weights)
    }

    /// The entry, or nothing for its UID if that got its hotkey no earlier than in `block`.
    fn void(netuid: NetUid, (uid, weight): (u16, u16), block: u64) -> (u16, u16) {
        match BlockAtRegistration::<T>::get(netuid, uid) < block {
            true => (uid, weight),
            false => (uid, 0),
        }
    }

    /// Whether the subnet exists and has this mechanism (`ensure_mechanism_exists`).
    pub(super) fn check_mechanism(netuid: NetUid, mecid: u8) -> Result<(), Error<T>> {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            mecid < MechanismCountCurrent::<T>::get(netuid),
            Error::<T>::MechanismDoesNotExist
        );
        Ok(())
    }

    /// Whether the stake that `hotkey` has or borrows suffices for setting weights (`check_weights_min_stake`).
    pub(super) fn check_weights_stake(
        hotkey: &AccountId32,
        netuid: NetUid,
    ) -> Result<(), Error<T>> {
        ensure!(
            Self::stake_weight(hotkey, netuid) >= StakeThreshold::<T>::get(),
            Error::<T>::NotEnoughStakeToSetWeights
        );
        Ok(())
    }

    /// Whether `uid` may set or commit weights again. A registration counts as a setting, one at block 0 does not
    /// (`check_rate_limit`).
    pub(super) fn weights_are_due(netuid: NetUid, uid: u16) -> bool {
        let last = LastUpdate::<T>::get(netuid)
            .get(usize::from(uid))
            .copied()
            .unwrap_or(0);
        let waited = Self::current_block().saturating_sub(last);
        last == 0 || waited >= WeightsSetRateLimit::<T>::get(netuid)
    }
}

/// The values scaled so that the largest becomes 65535, rounded to nearest; all zeros stay. Above one half the chain
/// divides first, in 32 fractional bits, and the last digit depends on it.
fn max_upscale(values: &[u16]) -> Vec<u16> {
    let full = u128::from(u16::MAX) << 32;
    let largest = u128::from(values.iter().copied().max().unwrap_or(0));
    let scale = |value: &u16| {
        let value = u128::from(*value);
        let bits = match largest {
            0 => 0,
            1..=32_768 => value * full / largest,
            _ => value * (full / largest),
        };
        u16::try_from((bits + (1 << 31)) >> 32).unwrap_or(u16::MAX)
    };
    values.iter().map(scale).collect()
}

/// Whether no weight exceeds `limit` / 65535 of the sum.
fn within_limit(weights: &[u16], limit: u16) -> bool {
    let largest = u64::from(weights.iter().copied().max().unwrap_or(0));
    let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    limit == u16::MAX || largest * u64::from(u16::MAX) <= u64::from(limit) * sum
}
