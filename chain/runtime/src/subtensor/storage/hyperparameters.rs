//! What a subnet's owner or the chain's authority sets per subnet.

use frame_support::pallet_macros::pallet_section;

/// Hyperparameters beyond those that the genesis sets.
#[pallet_section]
mod storage_hyperparameters {
    /// Of old; kept for clients.
    #[pallet::storage]
    pub type Rho<T> = StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<10>>;
    /// Of the time of proofs of work; kept for clients.
    #[pallet::storage]
    pub type MinDifficulty<T> =
        StorageMap<_, Identity, NetUid, u64, ValueQuery, ConstU64<10_000_000>>;
    /// Of the time of proofs of work; kept for clients.
    #[pallet::storage]
    pub type MaxDifficulty<T> =
        StorageMap<_, Identity, NetUid, u64, ValueQuery, ConstU64<4_611_686_018_427_387_903>>;
    /// Of the time of proofs of work; kept for clients.
    #[pallet::storage]
    pub type Difficulty<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery, ConstU64<10_000_000>>;
    /// Of the time of proofs of work; kept for clients.
    #[pallet::storage]
    pub type NetworkPowRegistrationAllowed<T> =
        StorageMap<_, Identity, NetUid, bool, ValueQuery, ConstBool<true>>;
    /// Of the time of intervals of registration; kept for clients.
    #[pallet::storage]
    pub type AdjustmentInterval<T> =
        StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<100>>;
    /// Of the time of intervals of registration; kept for clients.
    #[pallet::storage]
    pub type AdjustmentAlpha<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// Of the time of intervals of registration; kept for clients.
    #[pallet::storage]
    pub type LastAdjustmentBlock<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// Of the time of intervals of registration; kept for clients.
    #[pallet::storage]
    pub type RegistrationsThisInterval<T> = StorageMap<_, Identity, NetUid, u16, ValueQuery>;
    /// Of the time of intervals of registration; kept for clients.
    #[pallet::storage]
    pub type TargetRegistrationsPerInterval<T> =
        StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<2>>;
    /// Most registrations per block on root; elsewhere the price alone limits them.
    #[pallet::storage]
    pub type MaxRegistrationsPerBlock<T> =
        StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<1>>;
    /// What `ActivityCutoffFactorMilli` replaced; kept for clients.
    #[pallet::storage]
    pub type ActivityCutoff<T> = StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<5_000>>;
    /// Lower bound of `MaxAllowedUids`.
    #[pallet::storage]
    pub type MinAllowedUids<T> = StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<64>>;
    /// Whether a hotkey may have the bonds on it dissolved.
    #[pallet::storage]
    pub type BondsResetOn<T> = StorageMap<_, Identity, NetUid, bool, ValueQuery>;
    /// Whether stake may pass to another coldkey.
    #[pallet::storage]
    pub type TransferToggle<T> = StorageMap<_, Identity, NetUid, bool, ValueQuery, ConstBool<true>>;
    /// Whether the owner's cut is taken.
    #[pallet::storage]
    pub type OwnerCutEnabled<T> =
        StorageMap<_, Identity, NetUid, bool, ValueQuery, ConstBool<true>>;
    /// Whether the owner's cut is locked; nothing can be locked here.
    #[pallet::storage]
    pub type OwnerCutAutoLockEnabled<T> = StorageMap<_, Identity, NetUid, bool, ValueQuery>;
    /// Smallest take of a child hotkey on this subnet, out of 65535.
    #[pallet::storage]
    pub type MinChildkeyTakePerSubnet<T> = StorageMap<_, Identity, NetUid, u16, ValueQuery>;
    /// Epochs from a commit to its reveal.
    #[pallet::storage]
    pub type RevealPeriodEpochs<T> =
        StorageMap<_, Twox64Concat, NetUid, u64, ValueQuery, ConstU64<1>>;
    /// How the emission is divided among mechanisms, out of 65535; all to the one without an entry.
    #[pallet::storage]
    pub type MechanismEmissionSplit<T> = StorageMap<_, Twox64Concat, NetUid, Vec<u16>, OptionQuery>;
    /// Which consensus an epoch runs: Yuma, for every subnet here.
    #[pallet::storage]
    pub type SubnetEpochConsensus<T> = StorageMap<_, Identity, NetUid, EpochConsensus, ValueQuery>;
    /// Part of a registration that is locked, out of 65535: nothing.
    #[pallet::storage]
    pub type CollateralLockShare<T> = StorageMap<_, Identity, NetUid, u16, ValueQuery>;
}
