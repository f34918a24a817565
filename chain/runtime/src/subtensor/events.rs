//! What a block reports.

use frame_support::pallet_macros::pallet_section;

/// Events, with the numbers and fields that they have on Bittensor.
#[pallet_section]
mod events {
    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A subnet was added: netuid, modality (always 0).
        #[codec(index = 0)]
        NetworkAdded(NetUid, u16),
        /// Stake was added: coldkey, hotkey, TAO paid, alpha staked, netuid, fee, all in rao.
        #[codec(index = 2)]
        StakeAdded(AccountId32, AccountId32, u64, u64, NetUid, u64),
        /// Stake was removed: coldkey, hotkey, TAO paid out, alpha unstaked, netuid, fee, all in rao.
        #[codec(index = 3)]
        StakeRemoved(AccountId32, AccountId32, u64, u64, NetUid, u64),
        /// A neuron set its weights: netuid, UID.
        #[codec(index = 5)]
        WeightsSet(NetUid, u16),
        /// A hotkey got a UID: netuid, UID, hotkey.
        #[codec(index = 6)]
        NeuronRegistered(NetUid, u16, AccountId32),
        /// A hotkey announced its axon: netuid, hotkey.
        #[codec(index = 28)]
        AxonServed(NetUid, AccountId32),
        /// A subnet was started: netuid, first block with emission.
        #[codec(index = 89)]
        FirstEmissionBlockNumberSet(NetUid, u64),
        /// An epoch paid the miners.
        #[codec(index = 104)]
        IncentiveAlphaEmittedToMiners {
            /// The subnet.
            netuid: NetUid,
            /// Alpha in rao, by UID.
            emissions: Vec<u64>,
        },
        /// An epoch was put off because others ran in its block.
        #[codec(index = 130)]
        EpochDeferred {
            /// The subnet.
            netuid: NetUid,
            /// The block in which it was due.
            from_block: u64,
            /// The block in which it will be due.
            to_block: u64,
        },
    }
}
