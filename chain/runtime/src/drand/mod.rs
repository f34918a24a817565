//! Keep the pulses of a public randomness beacon (drand), whose signatures open timelocked ciphertexts.
//!
//! A beacon signs the number of each round with BLS when the round's time has come: nobody knows a signature before, and
//! everybody can check it after. [`BeaconConfig`] says whose signatures are accepted: drand's quicknet, unless the
//! genesis names another. Pulses enter by an inherent of the block's author or by an unsigned extrinsic; the signature
//! decides, not who brings it. Unlike Bittensor's, this pallet takes rounds in any order and may leave some out.
#![allow(
    deprecated,
    reason = "pulses enter by an unsigned extrinsic, as Bittensor's do"
)]

pub mod beacon;
mod open;
mod types;
mod verify;

pub use open::open;
pub use pallet::*;
pub use types::*;
pub use verify::verify;

use alloc::vec::Vec;

/// Public randomness as others use it.
pub trait Rounds {
    /// The signature of a round, if its pulse is known.
    fn signature(round: u64) -> Option<Vec<u8>>;
}

/// Under which name the author of a block supplies pulses ([`Vec<Pulse>`](Pulse)).
pub const INHERENT_IDENTIFIER: sp_inherents::InherentIdentifier = *b"drandpls";

/// Pulses are kept for this many rounds: a week of quicknet's.
const KEPT_ROUNDS: u64 = 216_000;
/// Most rounds that one call forgets.
const MOST_FORGOTTEN: u64 = 100;

/// The pallet.
#[frame_support::pallet]
#[allow(clippy::let_unit_value)] // Written by the macro around `pre_dispatch`.
pub mod pallet {
    use alloc::{vec, vec::Vec};
    use codec::Encode;
    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;
    use sp_inherents::{InherentData, InherentIdentifier};
    use sp_runtime::{MultiSignature, MultiSigner, traits::Verify};

    use super::*;

    /// The pallet.
    #[pallet::pallet]
    #[pallet::without_storage_info]
    pub struct Pallet<T>(_);

    /// What the runtime supplies.
    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {}

    /// Whose signatures are accepted, and when its rounds begin.
    #[pallet::storage]
    pub type BeaconConfig<T> = StorageValue<_, BeaconConfiguration, ValueQuery, Quicknet>;
    /// drand's quicknet.
    #[pallet::type_value]
    pub fn Quicknet() -> BeaconConfiguration {
        BeaconConfiguration::quicknet()
    }
    /// Pulse of a round.
    #[pallet::storage]
    pub type Pulses<T> = StorageMap<_, Blake2_128Concat, RoundNumber, Pulse, OptionQuery>;
    /// The newest round with a pulse.
    #[pallet::storage]
    pub type LastStoredRound<T> = StorageValue<_, RoundNumber, ValueQuery>;
    /// No older round has a pulse.
    #[pallet::storage]
    pub type OldestStoredRound<T> = StorageValue<_, RoundNumber, ValueQuery>;
    /// Block of the last pulses.
    #[pallet::storage]
    pub type NextUnsignedAt<T: Config> = StorageValue<_, BlockNumberFor<T>, ValueQuery>;

    /// The genesis of the pallet.
    #[pallet::genesis_config]
    pub struct GenesisConfig<T: Config> {
        /// The beacon whose signatures are accepted, quicknet if none is named.
        #[serde(default)]
        pub beacon: Option<BeaconGenesis>,
        #[serde(skip)]
        #[allow(missing_docs)]
        pub _config: core::marker::PhantomData<T>,
    }

    impl<T: Config> Default for GenesisConfig<T> {
        fn default() -> Self {
            Self {
                beacon: None,
                _config: Default::default(),
            }
        }
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            if let Some(beacon) = &self.beacon {
                let config = beacon.configuration();
                assert!(
                    verify::is_public_key(&config.public_key),
                    "the beacon's key is not a point of BLS12-381's G2"
                );
                assert!(config.period > 0, "the beacon's rounds need a period");
                BeaconConfig::<T>::put(config);
            }
        }
    }

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// Another beacon's signatures are accepted now.
        #[codec(index = 0)]
        BeaconConfigChanged,
        /// Pulses were stored.
        #[codec(index = 1)]
        NewPulse {
            /// Their rounds.
            rounds: Vec<RoundNumber>,
        },
        /// The oldest round was set.
        #[codec(index = 2)]
        SetOldestStoredRound(u64),
    }

    /// Why a call failed.
    #[pallet::error]
    pub enum Error<T> {
        /// Nothing here raises it.
        #[codec(index = 0)]
        NoneValue,
        /// Nothing here raises it.
        #[codec(index = 1)]
        StorageOverflow,
        /// Nothing here raises it.
        #[codec(index = 2)]
        DrandConnectionFailure,
        /// Nothing here raises it.
        #[codec(index = 3)]
        UnverifiedPulse,
        /// The round has a pulse already.
        #[codec(index = 4)]
        InvalidRoundNumber,
        /// The signature is not the beacon's, or the randomness not its hash.
        #[codec(index = 5)]
        PulseVerificationError,
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Stores pulses that the beacon signed; all of them or none.
        #[pallet::call_index(0)]
        #[pallet::weight((
            Weight::from_parts(5_000_000_000, 0)
                .saturating_mul(pulses_payload.pulses.len() as u64)
                .saturating_add(T::DbWeight::get().reads_writes(3, 4)),
            DispatchClass::Operational,
            Pays::No
        ))]
        pub fn write_pulse(
            origin: OriginFor<T>,
            pulses_payload: PulsesPayload<MultiSigner, BlockNumberFor<T>>,
            _signature: Option<MultiSignature>,
        ) -> DispatchResult {
            ensure_none(origin)?;
            let config = BeaconConfig::<T>::get();
            let mut rounds = Vec::new();
            for pulse in pulses_payload.pulses {
                ensure!(
                    !Pulses::<T>::contains_key(pulse.round),
                    Error::<T>::InvalidRoundNumber
                );
                ensure!(
                    verify(&config.public_key, &pulse),
                    Error::<T>::PulseVerificationError
                );
                rounds.push(pulse.round);
                Self::store(pulse);
            }
            NextUnsignedAt::<T>::put(frame_system::Pallet::<T>::block_number());
            if !rounds.is_empty() {
                Self::deposit_event(Event::NewPulse { rounds });
            }
            Ok(())
        }

        /// Accepts another beacon's signatures from now on; for root.
        #[pallet::call_index(1)]
        #[pallet::weight(T::DbWeight::get().reads_writes(1, 2))]
        pub fn set_beacon_config(
            origin: OriginFor<T>,
            config_payload: BeaconConfigurationPayload<MultiSigner, BlockNumberFor<T>>,
            _signature: Option<MultiSignature>,
        ) -> DispatchResult {
            ensure_root(origin)?;
            BeaconConfig::<T>::put(config_payload.config);
            Self::deposit_event(Event::BeaconConfigChanged);
            Ok(())
        }

        /// Sets the oldest round that is kept; for root.
        #[pallet::call_index(2)]
        #[pallet::weight(T::DbWeight::get().reads_writes(1, 1))]
        pub fn set_oldest_stored_round(origin: OriginFor<T>, oldest_round: u64) -> DispatchResult {
            ensure_root(origin)?;
            OldestStoredRound::<T>::put(oldest_round);
            Self::deposit_event(Event::SetOldestStoredRound(oldest_round));
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        fn store(pulse: Pulse) {
            let round = pulse.round;
            let oldest = OldestStoredRound::<T>::get();
            if oldest == 0 || round < oldest {
                OldestStoredRound::<T>::put(round);
            }
            Pulses::<T>::insert(round, pulse);
            let last = LastStoredRound::<T>::get().max(round);
            LastStoredRound::<T>::put(last);
            Self::forget(last);
        }

        /// Forgets rounds that are too old.
        fn forget(last: RoundNumber) {
            let oldest = OldestStoredRound::<T>::get();
            let kept = last.saturating_sub(KEPT_ROUNDS);
            let until = kept.min(oldest.saturating_add(MOST_FORGOTTEN));
            for round in oldest..until {
                Pulses::<T>::remove(round);
            }
            if until > oldest {
                OldestStoredRound::<T>::put(until);
            }
        }
    }

    #[pallet::inherent]
    impl<T: Config> ProvideInherent for Pallet<T> {
        type Call = Call<T>;
        type Error = sp_inherents::MakeFatalError<()>;
        const INHERENT_IDENTIFIER: InherentIdentifier = super::INHERENT_IDENTIFIER;

        fn create_inherent(data: &InherentData) -> Option<Call<T>> {
            let pulses: Vec<Pulse> = data.get_data(&super::INHERENT_IDENTIFIER).ok()??;
            (!pulses.is_empty()).then(|| Call::write_pulse {
                pulses_payload: PulsesPayload {
                    block_number: frame_system::Pallet::<T>::block_number(),
                    pulses,
                    public: MultiSigner::Sr25519(sp_core::sr25519::Public::default()),
                },
                signature: None,
            })
        }

        fn is_inherent(call: &Call<T>) -> bool {
            matches!(
                call,
                Call::write_pulse {
                    signature: None,
                    ..
                }
            )
        }
    }

    #[pallet::validate_unsigned]
    impl<T: Config> ValidateUnsigned for Pallet<T> {
        type Call = Call<T>;

        /// In a block the call checks the pulses itself, whether its author or somebody else brings them.
        fn pre_dispatch(call: &Call<T>) -> Result<(), TransactionValidityError> {
            match call {
                Call::write_pulse { .. } => Ok(()),
                _ => Err(InvalidTransaction::Call.into()),
            }
        }

        fn validate_unsigned(_source: TransactionSource, call: &Call<T>) -> TransactionValidity {
            let Call::write_pulse {
                pulses_payload,
                signature: Some(signature),
            } = call
            else {
                return InvalidTransaction::Call.into();
            };
            use sp_runtime::traits::IdentifyAccount;
            let signer = pulses_payload.public.clone().into_account();
            if !signature.verify(&pulses_payload.encode()[..], &signer) {
                return InvalidTransaction::BadProof.into();
            }
            let [pulse] = &pulses_payload.pulses[..] else {
                return InvalidTransaction::Call.into();
            };
            if Pulses::<T>::contains_key(pulse.round) {
                return InvalidTransaction::Stale.into();
            }
            if !verify(&BeaconConfig::<T>::get().public_key, pulse) {
                return InvalidTransaction::BadProof.into();
            }
            ValidTransaction::with_tag_prefix("DrandOffchainWorker")
                .priority(1 << 20)
                .and_provides(vec![pulse.round.encode()])
                .longevity(5)
                .propagate(true)
                .build()
        }
    }

    impl<T: Config> Rounds for Pallet<T> {
        fn signature(round: u64) -> Option<Vec<u8>> {
            Pulses::<T>::get(round).map(|pulse| pulse.signature.into_inner())
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
