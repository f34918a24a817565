//! Keep what hotkeys commit to: one record per hotkey and subnet, with the block in which it was made.
//!
//! Fields may be timelocked: when the round of randomness that opens one is known, what it hides is moved to
//! `RevealedCommitments`.

mod data;
mod reveal;

pub use data::Data;
pub use pallet::*;

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use alloc::{boxed::Box, collections::BTreeSet, vec::Vec};
    use codec::Encode;
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
    #[pallet::without_storage_info]
    pub struct Pallet<T>(_);

    /// What the runtime supplies.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId = AccountId32, RuntimeEvent: From<Event<Self>>>
    {
        /// Where hotkeys register.
        type Subnets: Subnets;
        /// Public randomness, which opens timelocked fields.
        type Rounds: crate::drand::Rounds;
    }

    /// What this pallet asks of the one that keeps the subnets.
    pub trait Subnets {
        /// Whether the hotkey may commit on the subnet.
        fn is_registered(netuid: u16, hotkey: &AccountId32) -> bool;
        /// Number of the subnet's current epoch.
        fn epoch_index(netuid: u16) -> u64;
        /// Dissolves the bonds on a hotkey, if the subnet lets it.
        fn reset_bonds(netuid: u16, hotkey: &AccountId32);
    }

    /// What this pallet offers to the one that keeps the subnets.
    pub trait Records {
        /// Forgets all that was committed on a subnet.
        fn forget(netuid: u16);
    }

    impl<T: Config> Records for Pallet<T> {
        fn forget(netuid: u16) {
            let _ = CommitmentOf::<T>::clear_prefix(netuid, u32::MAX, None);
            let _ = LastCommitment::<T>::clear_prefix(netuid, u32::MAX, None);
            let _ = UsedSpaceOf::<T>::clear_prefix(netuid, u32::MAX, None);
            let _ = LastBondsReset::<T>::clear_prefix(netuid, u32::MAX, None);
            let _ = RevealedCommitments::<T>::clear_prefix(netuid, u32::MAX, None);
            TimelockedIndex::<T>::mutate(|index| index.retain(|(on, _)| *on != netuid));
        }
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
    /// Who has timelocked fields.
    #[pallet::storage]
    pub type TimelockedIndex<T> = StorageValue<_, BTreeSet<(u16, AccountId32)>, ValueQuery>;
    /// Block in which a hotkey last asked for the bonds on it to be dissolved.
    #[pallet::storage]
    pub type LastBondsReset<T> =
        StorageDoubleMap<_, Identity, u16, Twox64Concat, AccountId32, u32, OptionQuery>;
    /// What timelocked fields of a hotkey hid, and the blocks in which it came out; the last ten.
    #[pallet::storage]
    pub type RevealedCommitments<T> = StorageDoubleMap<
        _,
        Identity,
        u16,
        Twox64Concat,
        AccountId32,
        Vec<(Vec<u8>, u64)>,
        OptionQuery,
    >;
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
        /// A hotkey committed to something timelocked.
        #[codec(index = 1)]
        TimelockCommitment {
            /// The subnet.
            netuid: u16,
            /// The hotkey.
            who: AccountId32,
            /// The round that opens it.
            reveal_round: u64,
        },
        /// Something timelocked was opened.
        #[codec(index = 2)]
        CommitmentRevealed {
            /// The subnet.
            netuid: u16,
            /// The hotkey.
            who: AccountId32,
        },
    }

    /// Why a call failed.
    #[pallet::error]
    pub enum Error<T> {
        /// Nothing here raises it.
        #[codec(index = 0)]
        TooManyFieldsInCommitmentInfo,
        /// The account is not registered on the subnet.
        #[codec(index = 1)]
        AccountNotAllowedCommit,
        /// The hotkey has used its space of the epoch.
        #[codec(index = 2)]
        SpaceLimitExceeded,
        /// Nothing here raises it.
        #[codec(index = 3)]
        UnexpectedUnreserveLeftover,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_block: BlockNumberFor<T>) -> Weight {
            Self::reveal_timelocked()
        }
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

            let resets = info.fields.contains(&Data::ResetBondsFlag);
            let locked = info.fields.iter().find_map(Data::reveal_round);
            let block: u32 = frame_system::Pallet::<T>::block_number().unique_saturated_into();
            let registration = Registration {
                deposit: 0,
                block,
                info: *info,
            };
            CommitmentOf::<T>::insert(netuid, &who, registration);
            LastCommitment::<T>::insert(netuid, &who, block);
            if resets {
                LastBondsReset::<T>::insert(netuid, &who, block);
                T::Subnets::reset_bonds(netuid, &who);
            }
            Self::announce(netuid, who, locked);
            Ok(())
        }

        /// Sets how many bytes a hotkey may commit to in an epoch; for root.
        #[pallet::call_index(2)]
        #[pallet::weight(T::DbWeight::get().writes(1))]
        pub fn set_max_space(origin: OriginFor<T>, new_limit: u32) -> DispatchResult {
            ensure_root(origin)?;
            MaxSpace::<T>::put(new_limit);
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        /// Keeps the list of timelocked fields true and reports a commitment.
        fn announce(netuid: u16, who: AccountId32, locked: Option<u64>) {
            TimelockedIndex::<T>::mutate(|index| match locked {
                Some(_) => index.insert((netuid, who.clone())),
                None => index.remove(&(netuid, who.clone())),
            });
            Self::deposit_event(match locked {
                Some(reveal_round) => Event::TimelockCommitment {
                    netuid,
                    who,
                    reveal_round,
                },
                None => Event::Commitment { netuid, who },
            });
        }

        /// What hotkeys of a subnet committed to, as encoded in storage.
        pub fn get_commitments(netuid: u16) -> Vec<(AccountId32, Vec<u8>)> {
            CommitmentOf::<T>::iter_prefix(netuid)
                .map(|(who, registration)| (who, registration.encode()))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests;
