//! The root network: validators whose stake is TAO and counts on every subnet.
//!
//! Root has no weights, no epochs and no emission here; its stake buys votes by `TaoWeight`, and what they earn goes to
//! those who staked on the validator on the subnet.

use frame_support::ensure;
use sp_runtime::{AccountId32, DispatchResult};

use super::*;
use crate::fixed::I96F32;

/// Most hotkeys on root.
const ROOT_SEATS: u16 = 64;
/// Registrations per interval, as a multiple of the target.
const INTERVAL_SLACK: u16 = 3;

impl<T: Config> Pallet<T> {
    /// Creates root; for the genesis (`migrate_create_root_network`).
    pub(in crate::subtensor) fn build_root() {
        NetworksAdded::<T>::insert(0, true);
        TotalNetworks::<T>::mutate(|count| *count = count.saturating_add(1));
        SubnetworkN::<T>::insert(0, 0);
        MaxAllowedUids::<T>::insert(0, ROOT_SEATS);
        MaxAllowedValidators::<T>::insert(0, ROOT_SEATS);
        MinAllowedWeights::<T>::insert(0, 0);
        NetworkRegistrationAllowed::<T>::insert(0, true);
        CommitRevealWeightsEnabled::<T>::insert(0, false);
        TargetRegistrationsPerInterval::<T>::insert(0, ROOT_SEATS);
        Tempo::<T>::insert(0, 0);
        SubtokenEnabled::<T>::insert(0, true);
        SubnetMovingPrice::<T>::insert(0, I96F32::ONE);
        TokenSymbol::<T>::insert(0, "\u{3a4}".as_bytes().to_vec());
    }

    /// Gives a hotkey a seat on root, in place of the one with the least stake when all are taken. Free of charge
    /// (`do_root_register`).
    pub(in crate::subtensor) fn do_root_register(
        coldkey: &AccountId32,
        hotkey: AccountId32,
    ) -> DispatchResult {
        ensure!(
            NetworksAdded::<T>::get(0),
            Error::<T>::RootNetworkDoesNotExist
        );
        ensure!(
            RegistrationsThisBlock::<T>::get(0) < MaxRegistrationsPerBlock::<T>::get(0),
            Error::<T>::TooManyRegistrationsThisBlock
        );
        let most = TargetRegistrationsPerInterval::<T>::get(0).saturating_mul(INTERVAL_SLACK);
        ensure!(
            RegistrationsThisInterval::<T>::get(0) < most,
            Error::<T>::TooManyRegistrationsThisInterval
        );
        ensure!(
            !Uids::<T>::contains_key(0, &hotkey),
            Error::<T>::HotKeyAlreadyRegisteredInSubNet
        );
        Self::associate(coldkey, &hotkey)?;
        let uid = if SubnetworkN::<T>::get(0) < MaxAllowedUids::<T>::get(0) {
            Self::append_neuron(0, &hotkey)
        } else {
            let stake = TotalHotkeyAlpha::<T>::get(&hotkey, 0);
            let lowest = (0..SubnetworkN::<T>::get(0))
                .map(|uid| (TotalHotkeyAlpha::<T>::get(Keys::<T>::get(0, uid), 0), uid))
                .min();
            let (least, uid) = lowest.ok_or(Error::<T>::NoNeuronIdAvailable)?;
            ensure!(least < stake, Error::<T>::StakeTooLowForRoot);
            Self::replace_neuron(0, uid, &hotkey);
            uid
        };
        Self::become_delegate(&hotkey);
        RegistrationsThisBlock::<T>::mutate(0, |count| *count = count.saturating_add(1));
        RegistrationsThisInterval::<T>::mutate(0, |count| *count = count.saturating_add(1));
        Self::deposit_event(Event::NeuronRegistered(0, uid, hotkey));
        Ok(())
    }

    /// Starts counting root's registrations anew. Root's interval is a block, as its epoch is always due on the chain.
    pub(in crate::subtensor) fn open_root_registrations() {
        if RegistrationsThisBlock::<T>::take(0) > 0 {
            RegistrationsThisInterval::<T>::insert(0, 0);
        }
    }
}
