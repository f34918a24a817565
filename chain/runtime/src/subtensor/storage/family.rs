//! Which hotkeys lend their stake to which.

use frame_support::pallet_macros::pallet_section;

/// Parents and children of hotkeys, per subnet, as (proportion times 2^64 - 1, hotkey).
#[pallet_section]
mod storage_family {
    /// Hotkeys that a hotkey lends its stake to.
    #[pallet::storage]
    pub type ChildKeys<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        AccountId32,
        Identity,
        NetUid,
        Vec<(u64, AccountId32)>,
        ValueQuery,
    >;
    /// Hotkeys whose stake a hotkey borrows.
    #[pallet::storage]
    pub type ParentKeys<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        AccountId32,
        Identity,
        NetUid,
        Vec<(u64, AccountId32)>,
        ValueQuery,
    >;
    /// Children that a hotkey has chosen, and the block from which the next epoch makes them so.
    #[pallet::storage]
    pub type PendingChildKeys<T: Config> = StorageDoubleMap<
        _,
        Identity,
        NetUid,
        Blake2_128Concat,
        AccountId32,
        (Vec<(u64, AccountId32)>, u64),
        ValueQuery,
    >;
    /// A child hotkey's part of what it earns with its parents' stake, out of 65535.
    #[pallet::storage]
    pub type ChildkeyTake<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId32, Identity, NetUid, u16, ValueQuery>;
    /// Hotkey on which the incentive of a coldkey's miners is staked.
    #[pallet::storage]
    pub type AutoStakeDestination<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        AccountId32,
        Identity,
        NetUid,
        AccountId32,
        OptionQuery,
    >;
    /// Coldkeys that stake on this hotkey so.
    #[pallet::storage]
    pub type AutoStakeDestinationColdkeys<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        AccountId32,
        Identity,
        NetUid,
        Vec<AccountId32>,
        ValueQuery,
    >;
}
