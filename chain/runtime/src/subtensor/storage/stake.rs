//! Who owns which hotkey and how much is staked on it.

use frame_support::pallet_macros::pallet_section;

/// Hotkeys and stake. A coldkey's stake is its part of the hotkey's shares, so pay to a hotkey reaches all who staked
/// on it without touching their entries.
#[pallet_section]
mod storage_stake {
    /// Coldkey that owns a hotkey.
    #[pallet::storage]
    pub type Owner<T: Config> =
        StorageMap<_, Blake2_128Concat, AccountId32, AccountId32, ValueQuery, NobodysAccount>;
    /// What clients read where no account is stored.
    #[pallet::type_value]
    pub fn NobodysAccount() -> AccountId32 {
        AccountId32::new([0; 32])
    }
    /// Hotkeys that a coldkey owns.
    #[pallet::storage]
    pub type OwnedHotkeys<T: Config> =
        StorageMap<_, Blake2_128Concat, AccountId32, Vec<AccountId32>, ValueQuery>;
    /// Hotkeys that a coldkey staked on.
    #[pallet::storage]
    pub type StakingHotkeys<T: Config> =
        StorageMap<_, Blake2_128Concat, AccountId32, Vec<AccountId32>, ValueQuery>;
    /// The hotkey owner's take of the dividends, out of 65535.
    #[pallet::storage]
    pub type Delegates<T: Config> =
        StorageMap<_, Blake2_128Concat, AccountId32, u16, ValueQuery, ConstU16<11_796>>;
    /// Alpha staked on a hotkey, in rao.
    #[pallet::storage]
    pub type TotalHotkeyAlpha<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId32, Identity, NetUid, u64, ValueQuery>;
    /// The same after the last epoch that paid dividends to the hotkey.
    #[pallet::storage]
    pub type TotalHotkeyAlphaLastEpoch<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId32, Identity, NetUid, u64, ValueQuery>;
    /// Shares of a hotkey.
    #[pallet::storage]
    pub type TotalHotkeyShares<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId32, Identity, NetUid, U64F64, ValueQuery>;
    /// Shares of a hotkey that a coldkey holds: (hotkey, coldkey, subnet).
    #[pallet::storage]
    pub type Alpha<T: Config> = StorageNMap<
        _,
        (
            NMapKey<Blake2_128Concat, AccountId32>,
            NMapKey<Blake2_128Concat, AccountId32>,
            NMapKey<Identity, NetUid>,
        ),
        U64F64,
        ValueQuery,
    >;
    /// Dividends of the last epoch that went to those who staked on a hotkey, in rao.
    #[pallet::storage]
    pub type AlphaDividendsPerSubnet<T: Config> =
        StorageDoubleMap<_, Identity, NetUid, Blake2_128Concat, AccountId32, u64, ValueQuery>;
}
