//! What is refused before it takes room in a block (`guards/check_weights.rs`, `check_serving_endpoints.rs`).

use frame_support::ensure;
use sp_runtime::AccountId32;

use super::*;
use crate::subtensor::commit_reveal::Revealed;

impl<T: Config> Pallet<T> {
    /// The checks that are worth making before a call of `who` takes room in a block.
    pub(crate) fn check_in_pool(who: &AccountId32, call: &Call<T>) -> Result<(), Error<T>> {
        match call {
            Call::set_weights { netuid, .. } | Call::set_mechanism_weights { netuid, .. } => {
                Self::check_weights_stake(who, *netuid)?;
                Self::check_due(who, *netuid, Error::<T>::SettingWeightsTooFast)
            }
            Call::commit_weights { netuid, .. }
            | Call::commit_mechanism_weights { netuid, .. }
            | Call::commit_crv3_mechanism_weights { netuid, .. }
            | Call::commit_timelocked_weights { netuid, .. }
            | Call::commit_timelocked_mechanism_weights { netuid, .. } => {
                Self::check_weights_stake(who, *netuid)?;
                Self::check_due(who, *netuid, Error::<T>::CommittingWeightsTooFast)
            }
            Call::reveal_weights {
                netuid,
                uids,
                values,
                salt,
                version_key,
            }
            | Call::reveal_mechanism_weights {
                netuid,
                uids,
                values,
                salt,
                version_key,
                ..
            } => {
                Self::check_weights_stake(who, *netuid)?;
                let revealed = Revealed {
                    uids: uids.clone(),
                    values: values.clone(),
                    salt: salt.clone(),
                    version_key: *version_key,
                };
                Self::check_reveal(who, *netuid, &revealed)
            }
            Call::batch_set_weights {
                netuids,
                weights,
                version_keys,
            } => {
                ensure!(
                    netuids.len() == weights.len() && netuids.len() == version_keys.len(),
                    Error::<T>::InputLengthsUnequal
                );
                netuids
                    .iter()
                    .try_for_each(|netuid| Self::check_weights_stake(who, netuid.0))
            }
            Call::batch_commit_weights {
                netuids,
                commit_hashes,
            } => {
                ensure!(
                    netuids.len() == commit_hashes.len(),
                    Error::<T>::InputLengthsUnequal
                );
                netuids
                    .iter()
                    .try_for_each(|netuid| Self::check_weights_stake(who, netuid.0))
            }
            Call::batch_reveal_weights { netuid, .. } => Self::check_weights_stake(who, *netuid),
            Call::serve_axon {
                netuid,
                ip,
                port,
                ip_type,
                ..
            }
            | Call::serve_axon_tls {
                netuid,
                ip,
                port,
                ip_type,
                ..
            } => Self::check_axon(who, *netuid, *ip, *ip_type, *port),
            Call::serve_prometheus {
                netuid,
                ip,
                port,
                ip_type,
                ..
            } => Self::check_prometheus(who, *netuid, *ip, *ip_type, *port),
            Call::increase_take { hotkey, take } => Self::check_take(who, hotkey, *take, true),
            Call::decrease_take { hotkey, take } => Self::check_take(who, hotkey, *take, false),
            _ => Ok(()),
        }
    }

    fn check_due(who: &AccountId32, netuid: NetUid, too_fast: Error<T>) -> Result<(), Error<T>> {
        match Uids::<T>::get(netuid, who) {
            Some(uid) if !Self::weights_are_due(netuid, uid) => Err(too_fast),
            _ => Ok(()),
        }
    }
}
