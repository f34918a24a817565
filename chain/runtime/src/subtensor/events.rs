//! What a block reports.

use frame_support::pallet_macros::pallet_section;

/// Events, with the numbers and fields that they have on Bittensor at spec version 365; those that came later are
/// numbered apart.
#[pallet_section]
mod events {
    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A subnet was added: netuid, modality (always 0).
        #[codec(index = 0)]
        NetworkAdded(NetUid, u16),
        /// A subnet was removed: netuid.
        #[codec(index = 1)]
        NetworkRemoved(NetUid),
        /// Stake was added: coldkey, hotkey, TAO paid, alpha staked, netuid, fee, all in rao.
        #[codec(index = 2)]
        StakeAdded(AccountId32, AccountId32, u64, u64, NetUid, u64),
        /// Stake was removed: coldkey, hotkey, TAO paid out, alpha unstaked, netuid, fee, all in rao.
        #[codec(index = 3)]
        StakeRemoved(AccountId32, AccountId32, u64, u64, NetUid, u64),
        /// Stake was moved: coldkey, hotkey and netuid from, hotkey and netuid to, worth in rao of TAO.
        #[codec(index = 4)]
        StakeMoved(AccountId32, AccountId32, NetUid, AccountId32, NetUid, u64),
        /// A neuron set its weights: netuid, UID.
        #[codec(index = 5)]
        WeightsSet(NetUid, u16),
        /// A hotkey got a UID: netuid, UID, hotkey.
        #[codec(index = 6)]
        NeuronRegistered(NetUid, u16, AccountId32),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 9)]
        MaxAllowedUidsSet(NetUid, u16),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 11)]
        DifficultySet(NetUid, u64),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 12)]
        AdjustmentIntervalSet(NetUid, u16),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 13)]
        RegistrationPerIntervalSet(NetUid, u16),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 14)]
        MaxRegistrationsPerBlockSet(NetUid, u16),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 15)]
        ActivityCutoffSet(NetUid, u16),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 16)]
        RhoSet(NetUid, u16),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 17)]
        AlphaSigmoidSteepnessSet(NetUid, i16),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 18)]
        KappaSet(NetUid, u16),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 19)]
        MinAllowedWeightSet(NetUid, u16),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 22)]
        WeightsSetRateLimitSet(NetUid, u64),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 23)]
        ImmunityPeriodSet(NetUid, u16),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 24)]
        BondsMovingAverageSet(NetUid, u64),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 25)]
        BondsPenaltySet(NetUid, u16),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 26)]
        BondsResetOnSet(NetUid, bool),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 27)]
        MaxAllowedValidatorsSet(NetUid, u16),
        /// A hotkey announced its axon: netuid, hotkey.
        #[codec(index = 28)]
        AxonServed(NetUid, AccountId32),
        /// A hotkey announced its metrics: netuid, hotkey.
        #[codec(index = 29)]
        PrometheusServed(NetUid, AccountId32),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 32)]
        WeightsVersionKeySet(NetUid, u64),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 33)]
        MinDifficultySet(NetUid, u64),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 34)]
        MaxDifficultySet(NetUid, u64),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 35)]
        ServingRateLimitSet(NetUid, u64),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 37)]
        MaxBurnSet(NetUid, u64),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 38)]
        MinBurnSet(NetUid, u64),
        /// A setting of the chain was changed.
        #[codec(index = 39)]
        TxRateLimitSet(u64),
        /// A setting of the chain was changed.
        #[codec(index = 40)]
        TxDelegateTakeRateLimitSet(u64),
        /// A setting of the chain was changed.
        #[codec(index = 41)]
        TxChildKeyTakeRateLimitSet(u64),
        /// A setting of the chain was changed.
        #[codec(index = 42)]
        AdminFreezeWindowSet(u16),
        /// A setting of the chain was changed.
        #[codec(index = 43)]
        OwnerHyperparamRateLimitSet(u16),
        /// A setting of the chain was changed.
        #[codec(index = 44)]
        MinChildKeyTakeSet(u16),
        /// A setting of the chain was changed.
        #[codec(index = 45)]
        MaxChildKeyTakeSet(u16),
        /// The take of a child hotkey was set: hotkey, take out of 65535.
        #[codec(index = 46)]
        ChildKeyTakeSet(AccountId32, u16),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 48)]
        RegistrationAllowed(NetUid, bool),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 50)]
        TempoSet(NetUid, u16),
        /// A counter was set: netuid, rao.
        #[codec(index = 51)]
        RAORecycledForRegistrationSet(NetUid, u64),
        /// A setting of the chain was changed.
        #[codec(index = 52)]
        StakeThresholdSet(u64),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 53)]
        AdjustmentAlphaSet(NetUid, u64),
        /// A setting of the chain was changed.
        #[codec(index = 55)]
        SubnetOwnerCutSet(u16),
        /// A setting of the chain was changed.
        #[codec(index = 56)]
        NetworkRateLimitSet(u64),
        /// A setting of the chain was changed.
        #[codec(index = 57)]
        NetworkImmunityPeriodSet(u64),
        /// A setting of the chain was changed.
        #[codec(index = 58)]
        NetworkMinLockCostSet(u64),
        /// A setting of the chain was changed.
        #[codec(index = 59)]
        SubnetLimitSet(u16),
        /// A setting of the chain was changed.
        #[codec(index = 60)]
        NetworkLockCostReductionIntervalSet(u64),
        /// A take fell: coldkey, hotkey, take out of 65535.
        #[codec(index = 61)]
        TakeDecreased(AccountId32, AccountId32, u16),
        /// A take rose: coldkey, hotkey, take out of 65535.
        #[codec(index = 62)]
        TakeIncreased(AccountId32, AccountId32, u16),
        /// A hotkey took the place of another everywhere.
        #[codec(index = 63)]
        HotkeySwapped {
            /// Whose they are.
            coldkey: AccountId32,
            /// The old one.
            old_hotkey: AccountId32,
            /// The new one.
            new_hotkey: AccountId32,
        },
        /// A setting of the chain was changed.
        #[codec(index = 64)]
        MaxDelegateTakeSet(u16),
        /// A setting of the chain was changed.
        #[codec(index = 65)]
        MinDelegateTakeSet(u16),
        /// Children were chosen: hotkey, netuid, block from which the next epoch makes them so, children.
        #[codec(index = 70)]
        SetChildrenScheduled(AccountId32, NetUid, u64, Vec<(u64, AccountId32)>),
        /// A hotkey has these children now: hotkey, netuid, children.
        #[codec(index = 71)]
        SetChildren(AccountId32, NetUid, Vec<(u64, AccountId32)>),
        /// A coldkey presented itself.
        #[codec(index = 72)]
        ChainIdentitySet(AccountId32),
        /// A subnet presented itself.
        #[codec(index = 73)]
        SubnetIdentitySet(NetUid),
        /// Weights were committed: hotkey, netuid, hash.
        #[codec(index = 79)]
        WeightsCommitted(AccountId32, NetUid, H256),
        /// Committed weights were revealed: hotkey, netuid, hash.
        #[codec(index = 80)]
        WeightsRevealed(AccountId32, NetUid, H256),
        /// Committed weights were revealed: hotkey, netuid, hashes.
        #[codec(index = 81)]
        WeightsBatchRevealed(AccountId32, NetUid, Vec<H256>),
        /// A batch of weights was worked off: netuids, hotkey.
        #[codec(index = 82)]
        BatchWeightsCompleted(Vec<Compact<NetUid>>, AccountId32),
        /// A part of a batch of weights failed.
        #[codec(index = 83)]
        BatchCompletedWithErrors(),
        /// Why a part of a batch of weights failed.
        #[codec(index = 84)]
        BatchWeightItemFailed(DispatchError),
        /// Stake changed hands: coldkey from, coldkey to, hotkey, netuid from, netuid to, worth in rao of TAO.
        #[codec(index = 85)]
        StakeTransferred(AccountId32, AccountId32, AccountId32, NetUid, NetUid, u64),
        /// Stake changed its subnet: coldkey, hotkey, netuid from, netuid to, worth in rao of TAO.
        #[codec(index = 86)]
        StakeSwapped(AccountId32, AccountId32, NetUid, NetUid, u64),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 87)]
        TransferToggle(NetUid, bool),
        /// The owner's hotkey was set: netuid, hotkey.
        #[codec(index = 88)]
        SubnetOwnerHotkeySet(NetUid, AccountId32),
        /// A subnet was started: netuid, first block with emission.
        #[codec(index = 89)]
        FirstEmissionBlockNumberSet(NetUid, u64),
        /// Stake left the issuance: coldkey, hotkey, rao, netuid.
        #[codec(index = 90)]
        AlphaRecycled(AccountId32, AccountId32, u64, NetUid),
        /// Stake was given up: coldkey, hotkey, rao, netuid.
        #[codec(index = 91)]
        AlphaBurned(AccountId32, AccountId32, u64, NetUid),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 94)]
        CommitRevealPeriodsSet(NetUid, u64),
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 95)]
        CommitRevealEnabled(NetUid, bool),
        /// A hotkey took the place of another on a subnet.
        #[codec(index = 96)]
        HotkeySwappedOnSubnet {
            /// Whose they are.
            coldkey: AccountId32,
            /// The old one.
            old_hotkey: AccountId32,
            /// The new one.
            new_hotkey: AccountId32,
            /// The subnet.
            netuid: NetUid,
        },
        /// A setting of the chain was changed.
        #[codec(index = 100)]
        CommitRevealVersionSet(u16),
        /// Timelocked weights were committed: hotkey, netuid, hash of the ciphertext, round that opens it.
        #[codec(index = 101)]
        TimelockedWeightsCommitted(AccountId32, NetUid, H256, u64),
        /// Timelocked weights were opened: netuid, hotkey.
        #[codec(index = 102)]
        TimelockedWeightsRevealed(NetUid, AccountId32),
        /// A miner's incentive was staked elsewhere.
        #[codec(index = 103)]
        AutoStakeAdded {
            /// The subnet.
            netuid: NetUid,
            /// Where it is staked.
            destination: AccountId32,
            /// Who earned it.
            hotkey: AccountId32,
            /// Whose it is.
            owner: AccountId32,
            /// Alpha in rao.
            incentive: u64,
        },
        /// An epoch paid the miners.
        #[codec(index = 104)]
        IncentiveAlphaEmittedToMiners {
            /// The subnet.
            netuid: NetUid,
            /// Alpha in rao, by UID.
            emissions: Vec<u64>,
        },
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 105)]
        MinAllowedUidsSet(NetUid, u16),
        /// A coldkey chose where its incentive is staked.
        #[codec(index = 106)]
        AutoStakeDestinationSet {
            /// Whose incentive.
            coldkey: AccountId32,
            /// The subnet.
            netuid: NetUid,
            /// Where it goes.
            hotkey: AccountId32,
        },
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 107)]
        MinNonImmuneUidsSet(NetUid, u16),
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
        /// The owner asked for an epoch out of turn.
        #[codec(index = 131)]
        EpochTriggered {
            /// The subnet.
            netuid: NetUid,
            /// Its owner.
            by: AccountId32,
            /// The block in which it will be due.
            fires_at: u64,
        },
        /// A hyperparameter was set.
        #[codec(index = 132)]
        ActivityCutoffFactorMilliSet {
            /// The subnet.
            netuid: NetUid,
            /// Thousandths of a tempo.
            factor_milli: u32,
        },
        /// A hyperparameter was set: netuid, value.
        #[codec(index = 133)]
        MinChildKeyTakePerSubnetSet(NetUid, u16),
        /// A setting of the chain was changed.
        #[codec(index = 134)]
        StartCallDelaySet(u64),
        /// A setting of the chain was changed.
        #[codec(index = 135)]
        MaxEpochsPerBlockSet(u8),
    }
}
