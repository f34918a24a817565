//! Weights that are committed and not yet shown.

use frame_support::pallet_macros::pallet_section;

/// Commits by subnet.
#[pallet_section]
mod storage_commits {
    /// Hash commits of a hotkey in order: (hash, epoch, block, 0).
    #[pallet::storage]
    pub type WeightCommits<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        NetUid,
        Twox64Concat,
        AccountId32,
        VecDeque<(H256, u64, u64, u64)>,
        OptionQuery,
    >;
    /// Timelocked commits of an epoch in order: (hotkey, block, ciphertext, round that opens it).
    #[pallet::storage]
    pub type TimelockedWeightCommits<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        NetUid,
        Twox64Concat,
        u64,
        VecDeque<(AccountId32, u64, TimelockedCommit, u64)>,
        ValueQuery,
    >;
}
