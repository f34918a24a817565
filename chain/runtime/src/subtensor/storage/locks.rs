//! What clients read and this chain has none of, and how owners present themselves.

use frame_support::pallet_macros::pallet_section;

/// Identities, certificates and metrics; and locks, swaps and flows, which nothing here makes.
#[pallet_section]
mod storage_locks {
    /// How a coldkey presents itself.
    #[pallet::storage]
    pub type IdentitiesV2<T: Config> =
        StorageMap<_, Blake2_128Concat, AccountId32, ChainIdentityV2, OptionQuery>;
    /// How a subnet presents itself.
    #[pallet::storage]
    pub type SubnetIdentitiesV3<T> =
        StorageMap<_, Blake2_128Concat, NetUid, SubnetIdentityV3, OptionQuery>;
    /// Public key for TLS to a hotkey's axon.
    #[pallet::storage]
    pub type NeuronCertificates<T: Config> = StorageDoubleMap<
        _,
        Identity,
        NetUid,
        Blake2_128Concat,
        AccountId32,
        NeuronCertificate,
        OptionQuery,
    >;
    /// Where a hotkey's metrics are read.
    #[pallet::storage]
    pub type Prometheus<T: Config> = StorageDoubleMap<
        _,
        Identity,
        NetUid,
        Blake2_128Concat,
        AccountId32,
        PrometheusInfo,
        OptionQuery,
    >;
    /// TAO and alpha that passed through the pool, in rao.
    #[pallet::storage]
    pub type SubnetVolume<T> = StorageMap<_, Identity, NetUid, u128, ValueQuery>;
    /// Alpha in the pool, in rao: none, as an alpha is worth one TAO.
    #[pallet::storage]
    pub type SubnetAlphaIn<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// Alpha minted into the pool per block, in rao: none.
    #[pallet::storage]
    pub type SubnetAlphaInEmission<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// Moving average of the price.
    #[pallet::storage]
    pub type SubnetMovingPrice<T> = StorageMap<_, Identity, NetUid, I96F32, ValueQuery, NoPrice>;
    /// No price: that of a subnet that does not exist.
    #[pallet::type_value]
    pub fn NoPrice() -> I96F32 {
        I96F32 { bits: 0 }
    }
    /// Moving average of the TAO that flows in; not tracked.
    #[pallet::storage]
    pub type SubnetEmaTaoFlow<T> = StorageMap<_, Identity, NetUid, (u64, I64F64), OptionQuery>;
    /// What becomes of a coldkey's dividends of root stake; there are none.
    #[pallet::storage]
    pub type RootClaimType<T: Config> =
        StorageMap<_, Blake2_128Concat, AccountId32, RootClaimTypeEnum, ValueQuery>;
    /// Stake that a coldkey locked on a hotkey.
    #[pallet::storage]
    pub type Lock<T: Config> = StorageNMap<
        _,
        (
            NMapKey<Blake2_128Concat, AccountId32>,
            NMapKey<Identity, NetUid>,
            NMapKey<Blake2_128Concat, AccountId32>,
        ),
        LockState,
        OptionQuery,
    >;
    /// Whether that lock runs out.
    #[pallet::storage]
    pub type DecayingLock<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId32, Identity, NetUid, bool, OptionQuery>;
    /// Stake that is locked on a hotkey for good.
    #[pallet::storage]
    pub type HotkeyLock<T: Config> = StorageDoubleMap<
        _,
        Identity,
        NetUid,
        Blake2_128Concat,
        AccountId32,
        LockState,
        OptionQuery,
    >;
    /// Stake that is locked on a hotkey for a time.
    #[pallet::storage]
    pub type DecayingHotkeyLock<T: Config> = StorageDoubleMap<
        _,
        Identity,
        NetUid,
        Blake2_128Concat,
        AccountId32,
        LockState,
        OptionQuery,
    >;
    /// The owner's lock for good.
    #[pallet::storage]
    pub type OwnerLock<T> = StorageMap<_, Identity, NetUid, LockState, OptionQuery>;
    /// The owner's lock for a time.
    #[pallet::storage]
    pub type DecayingOwnerLock<T> = StorageMap<_, Identity, NetUid, LockState, OptionQuery>;
    /// Blocks in which the conviction of a lock grows.
    #[pallet::storage]
    pub type MaturityRate<T> = StorageValue<_, u64, ValueQuery, ConstU64<934_866>>;
    /// Blocks in which a lock runs out.
    #[pallet::storage]
    pub type UnlockRate<T> = StorageValue<_, u64, ValueQuery, ConstU64<934_866>>;
    /// A coldkey's announced successor: none can be.
    #[pallet::storage]
    pub type ColdkeySwapAnnouncements<T: Config> =
        StorageMap<_, Twox64Concat, AccountId32, (u32, H256), OptionQuery>;
    /// Block in which such an announcement was disputed.
    #[pallet::storage]
    pub type ColdkeySwapDisputes<T: Config> =
        StorageMap<_, Twox64Concat, AccountId32, u32, OptionQuery>;
}
