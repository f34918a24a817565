//! Keep what hotkeys commit to: one record per hotkey and subnet, with the block in which it was made.

mod data;

pub use data::Data;
pub use pallet::*;

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use alloc::boxed::Box;
    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;
    use sp_runtime::{AccountId32, traits::UniqueSaturatedInto};

    use super::Data;

    /// Most fields of a commitment.
    pub type MaxFields = ConstU32<3>;
    /// What a commitment counts for at least, in bytes.
    const LEAST_SPACE: u64 = 100;

    /// What a hotkey commits to.
    #[derive(
        Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
    )]
    pub struct CommitmentInfo {
        /// The fields; what they mean is the subnet's business.
        pub fields: BoundedVec<Data, MaxFields>,
    }

    /// A commitment as stored.
    #[derive(
        Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
    )]
    pub struct Registration {
        /// What is reserved for it, in rao: nothing.
        pub deposit: u64,
        /// Block of the commitment.
        pub block: u32,
        /// The commitment.
        pub info: CommitmentInfo,
    }

    /// How much a hotkey has committed to in an epoch.
    #[derive(
        Clone,
        Debug,
        Default,
        PartialEq,
        Eq,
        Encode,
        Decode,
        DecodeWithMemTracking,
        TypeInfo,
        MaxEncodedLen,
    )]
    pub struct UsageTracker {
        /// The epoch.
        pub last_epoch: u64,
        /// Bytes in it.
        pub used_space: u64,
    }

    /// The pallet.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What the runtime supplies.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId = AccountId32, RuntimeEvent: From<Event<Self>>>
    {
        /// Where hotkeys register.
        type Subnets: Subnets;
    }

    /// What this pallet asks of the one that keeps the subnets.
    pub trait Subnets {
        /// Whether the hotkey may commit on the subnet.
        fn is_registered(netuid: u16, hotkey: &AccountId32) -> bool;
        /// Number of the subnet's current epoch.
        fn epoch_index(netuid: u16) -> u64;
    }

    /// Commitment of a hotkey.
    #[pallet::storage]
    pub type CommitmentOf<T: Config> =
        StorageDoubleMap<_, Identity, u16, Twox64Concat, AccountId32, Registration, OptionQuery>;
    /// Block of a hotkey's last commitment.
    #[pallet::storage]
    pub type LastCommitment<T: Config> =
        StorageDoubleMap<_, Identity, u16, Twox64Concat, AccountId32, u32, OptionQuery>;
    /// What a hotkey has used of its space.
    #[pallet::storage]
    pub type UsedSpaceOf<T: Config> =
        StorageDoubleMap<_, Identity, u16, Twox64Concat, AccountId32, UsageTracker, OptionQuery>;
    /// Bytes that a hotkey may commit to in an epoch.
    #[pallet::storage]
    pub type MaxSpace<T> = StorageValue<_, u32, ValueQuery, ConstU32<3_100>>;

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A hotkey committed.
        #[codec(index = 0)]
        Commitment {
            /// The subnet.
            netuid: u16,
            /// The hotkey.
            who: AccountId32,
        },
    }

    /// Why a call failed.
    #[pallet::error]
    pub enum Error<T> {
        /// The account is not registered on the subnet.
        #[codec(index = 1)]
        AccountNotAllowedCommit,
        /// The hotkey has used its space of the epoch.
        #[codec(index = 2)]
        SpaceLimitExceeded,
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Replaces the commitment of the signing hotkey. Free of charge, within a space per epoch.
        #[pallet::call_index(0)]
        #[pallet::weight((
            Weight::from_parts(50_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(5, 3)),
            DispatchClass::Normal,
            Pays::No
        ))]
        pub fn set_commitment(
            origin: OriginFor<T>,
            netuid: u16,
            info: Box<CommitmentInfo>,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            ensure!(
                T::Subnets::is_registered(netuid, &who),
                Error::<T>::AccountNotAllowedCommit
            );
            let epoch = T::Subnets::epoch_index(netuid);
            let size: u64 = info.fields.iter().map(Data::size).sum();
            let mut usage = UsedSpaceOf::<T>::get(netuid, &who)
                .filter(|usage| usage.last_epoch == epoch)
                .unwrap_or(UsageTracker {
                    last_epoch: epoch,
                    used_space: 0,
                });
            usage.used_space = usage.used_space.saturating_add(size.max(LEAST_SPACE));
            ensure!(
                usage.used_space <= MaxSpace::<T>::get().into(),
                Error::<T>::SpaceLimitExceeded
            );
            UsedSpaceOf::<T>::insert(netuid, &who, usage);

            let block: u32 = frame_system::Pallet::<T>::block_number().unique_saturated_into();
            let registration = Registration {
                deposit: 0,
                block,
                info: *info,
            };
            CommitmentOf::<T>::insert(netuid, &who, registration);
            LastCommitment::<T>::insert(netuid, &who, block);
            Self::deposit_event(Event::Commitment { netuid, who });
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
