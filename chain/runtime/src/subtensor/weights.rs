//! Take the validators' weights.

use alloc::vec::Vec;
use frame_support::ensure;
use sp_runtime::{AccountId32, DispatchResult};

use super::*;

impl<T: Config> Pallet<T> {
    /// Stores the weights of `hotkey`, scaled so that the largest is 65535. The checks and their order are the chain's,
    /// but that a subnet which does not exist is called so.
    pub(super) fn do_set_weights(
        hotkey: &AccountId32,
        netuid: NetUid,
        mecid: u8,
        uids: &[u16],
        values: &[u16],
        version_key: u64,
    ) -> DispatchResult {
        ensure!(netuid != 0, Error::<T>::CanNotSetRootNetworkWeights);
        ensure!(
            uids.len() == values.len(),
            Error::<T>::WeightVecNotEqualSize
        );
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            mecid < MechanismCountCurrent::<T>::get(netuid),
            Error::<T>::MechanismDoesNotExist
        );
        ensure!(
            !CommitRevealWeightsEnabled::<T>::get(netuid),
            Error::<T>::CommitRevealEnabled
        );
        let n = SubnetworkN::<T>::get(netuid);
        ensure!(
            uids.len() <= usize::from(n),
            Error::<T>::UidsLengthExceedUidsInSubNet
        );
        let uid = Uids::<T>::get(netuid, hotkey).ok_or(Error::<T>::HotKeyNotRegisteredInSubNet)?;
        Self::check_weights_stake(hotkey, netuid)?;
        let oldest_version = WeightsVersionKey::<T>::get(netuid);
        ensure!(
            oldest_version == 0 || version_key >= oldest_version,
            Error::<T>::IncorrectWeightVersionKey
        );
        Self::check_weights_rate(netuid, uid)?;

        // A neuron may always vote for itself alone; nothing more is asked of such a vote.
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

        let row: Vec<(u16, u16)> = uids.iter().copied().zip(weights).collect();
        Weights::<T>::insert(netuid, uid, row);
        let block = Self::current_block();
        LastUpdate::<T>::mutate(netuid, |blocks| registration::set(blocks, uid, block));
        Self::deposit_event(Event::WeightsSet(netuid, uid));
        Ok(())
    }

    /// Whether the stake of `hotkey` suffices for setting weights.
    fn check_weights_stake(hotkey: &AccountId32, netuid: NetUid) -> Result<(), Error<T>> {
        ensure!(
            TotalHotkeyAlpha::<T>::get(hotkey, netuid) >= StakeThreshold::<T>::get(),
            Error::<T>::NotEnoughStakeToSetWeights
        );
        Ok(())
    }

    /// Whether `uid` may set weights again. A registration counts as a setting, one at block 0 does not.
    fn check_weights_rate(netuid: NetUid, uid: u16) -> Result<(), Error<T>> {
        let last = LastUpdate::<T>::get(netuid)
            .get(usize::from(uid))
            .copied()
            .unwrap_or(0);
        let waited = Self::current_block().saturating_sub(last);
        ensure!(
            last == 0 || waited >= WeightsSetRateLimit::<T>::get(netuid),
            Error::<T>::SettingWeightsTooFast
        );
        Ok(())
    }

    /// The checks that are worth making before a call of `who` takes room in a block.
    pub(crate) fn check_in_pool(who: &AccountId32, call: &Call<T>) -> Result<(), Error<T>> {
        match call {
            Call::set_weights { netuid, .. } | Call::set_mechanism_weights { netuid, .. } => {
                Self::check_weights_stake(who, *netuid)?;
                match Uids::<T>::get(netuid, who) {
                    Some(uid) => Self::check_weights_rate(*netuid, uid),
                    None => Ok(()),
                }
            }
            Call::serve_axon {
                netuid,
                ip,
                port,
                ip_type,
                ..
            } => Self::check_axon(who, *netuid, *ip, *ip_type, *port),
            _ => Ok(()),
        }
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
