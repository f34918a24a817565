//! Why a call fails.

use frame_support::pallet_macros::pallet_section;

/// Errors, with the numbers that they have on Bittensor at spec version 365, and later ones after them. Those that nothing
/// here raises are listed too: Python's libraries find an error by its place in the list.
#[pallet_section]
mod errors {
    /// Why a call failed.
    #[pallet::error]
    pub enum Error<T> {
        /// There is no root network.
        #[codec(index = 0)]
        RootNetworkDoesNotExist,
        /// The address type is neither 4 nor 6.
        #[codec(index = 1)]
        InvalidIpType,
        /// The address cannot be reached by others.
        #[codec(index = 2)]
        InvalidIpAddress,
        /// The port is zero.
        #[codec(index = 3)]
        InvalidPort,
        /// The hotkey has no UID on the subnet.
        #[codec(index = 4)]
        HotKeyNotRegisteredInSubNet,
        /// The hotkey is known to no subnet.
        #[codec(index = 5)]
        HotKeyAccountNotExists,
        /// The hotkey has no UID on the subnet that it serves.
        #[codec(index = 6)]
        HotKeyNotRegisteredInNetwork,
        /// The hotkey belongs to another coldkey.
        #[codec(index = 7)]
        NonAssociatedColdKey,
        /// Nothing here raises it.
        #[codec(index = 8)]
        NotEnoughStake,
        /// Less is staked than is withdrawn.
        #[codec(index = 9)]
        NotEnoughStakeToWithdraw,
        /// The hotkey's stake is below the threshold.
        #[codec(index = 10)]
        NotEnoughStakeToSetWeights,
        /// The hotkey's stake is below the threshold for lending it.
        #[codec(index = 11)]
        NotEnoughStakeToSetChildkeys,
        /// The coldkey's balance is too small.
        #[codec(index = 12)]
        NotEnoughBalanceToStake,
        /// Nothing here raises it.
        #[codec(index = 13)]
        BalanceWithdrawalError,
        /// Nothing here raises it.
        #[codec(index = 14)]
        ZeroBalanceAfterWithdrawn,
        /// Weights for others need a validator permit.
        #[codec(index = 15)]
        NeuronNoValidatorPermit,
        /// There are not as many weights as UIDs.
        #[codec(index = 16)]
        WeightVecNotEqualSize,
        /// A UID is named twice.
        #[codec(index = 17)]
        DuplicateUids,
        /// A UID does not exist.
        #[codec(index = 18)]
        UidVecContainInvalidOne,
        /// There are fewer weights than the subnet asks for.
        #[codec(index = 19)]
        WeightVecLengthIsLow,
        /// Root took as many registrations in this block as it may.
        #[codec(index = 20)]
        TooManyRegistrationsThisBlock,
        /// The hotkey has a UID already.
        #[codec(index = 21)]
        HotKeyAlreadyRegisteredInSubNet,
        /// The new hotkey is the old one.
        #[codec(index = 22)]
        NewHotKeyIsSameWithOld,
        /// Nothing here raises it.
        #[codec(index = 23)]
        InvalidWorkBlock,
        /// Nothing here raises it.
        #[codec(index = 24)]
        InvalidDifficulty,
        /// Nothing here raises it.
        #[codec(index = 25)]
        InvalidSeal,
        /// A weight is larger than the subnet allows.
        #[codec(index = 26)]
        MaxWeightExceeded,
        /// Nothing here raises it.
        #[codec(index = 27)]
        HotKeyAlreadyDelegate,
        /// The hotkey set weights too few blocks ago.
        #[codec(index = 28)]
        SettingWeightsTooFast,
        /// The version of the weights is too old.
        #[codec(index = 29)]
        IncorrectWeightVersionKey,
        /// The hotkey announced an axon too few blocks ago.
        #[codec(index = 30)]
        ServingRateLimitExceeded,
        /// There are more weights than UIDs.
        #[codec(index = 31)]
        UidsLengthExceedUidsInSubNet,
        /// A subnet was registered too few blocks ago.
        #[codec(index = 32)]
        NetworkTxRateLimitExceeded,
        /// The take was changed too few blocks ago.
        #[codec(index = 33)]
        DelegateTxRateLimitExceeded,
        /// The coldkey swapped a hotkey too few blocks ago.
        #[codec(index = 34)]
        HotKeySetTxRateLimitExceeded,
        /// Nothing here raises it.
        #[codec(index = 35)]
        StakingRateLimitExceeded,
        /// The subnet takes no registrations.
        #[codec(index = 36)]
        SubNetRegistrationDisabled,
        /// Root took as many registrations in this interval as it may.
        #[codec(index = 37)]
        TooManyRegistrationsThisInterval,
        /// Nothing here raises it.
        #[codec(index = 38)]
        TransactorAccountShouldBeHotKey,
        /// Nothing here raises it.
        #[codec(index = 39)]
        FaucetDisabled,
        /// The call is for the subnet's owner.
        #[codec(index = 40)]
        NotSubnetOwner,
        /// Subnet 0 takes no registrations.
        #[codec(index = 41)]
        RegistrationNotPermittedOnRootSubnet,
        /// Everybody on root has as much stake as the hotkey.
        #[codec(index = 42)]
        StakeTooLowForRoot,
        /// Nothing here raises it.
        #[codec(index = 43)]
        AllNetworksInImmunity,
        /// The coldkey cannot pay for another hotkey.
        #[codec(index = 44)]
        NotEnoughBalanceToPaySwapHotKey,
        /// Nothing here raises it.
        #[codec(index = 45)]
        NotRootSubnet,
        /// Subnet 0 has no weights.
        #[codec(index = 46)]
        CanNotSetRootNetworkWeights,
        /// Every UID is taken by one that must stay.
        #[codec(index = 47)]
        NoNeuronIdAvailable,
        /// The take is below its bound, or no change in this direction.
        #[codec(index = 48)]
        DelegateTakeTooLow,
        /// The take is above its bound.
        #[codec(index = 49)]
        DelegateTakeTooHigh,
        /// The hotkey committed no weights that could be revealed.
        #[codec(index = 50)]
        NoWeightsCommitFound,
        /// The weights are none that the hotkey committed.
        #[codec(index = 51)]
        InvalidRevealCommitHashNotMatch,
        /// Weights must be committed first.
        #[codec(index = 52)]
        CommitRevealEnabled,
        /// The subnet sets its weights in the open.
        #[codec(index = 53)]
        CommitRevealDisabled,
        /// Liquid alpha is off.
        #[codec(index = 54)]
        LiquidAlphaDisabled,
        /// The upper bound is too low.
        #[codec(index = 55)]
        AlphaHighTooLow,
        /// The lower bound is too low, or above the upper one.
        #[codec(index = 56)]
        AlphaLowOutOfRange,
        /// Nothing here raises it.
        #[codec(index = 57)]
        ColdKeyAlreadyAssociated,
        /// Nothing here raises it.
        #[codec(index = 58)]
        NotEnoughBalanceToPaySwapColdKey,
        /// Nothing here raises it.
        #[codec(index = 59)]
        ColdkeyIsInArbitration,
        /// A hotkey cannot be its own child.
        #[codec(index = 60)]
        InvalidChild,
        /// A child is named twice.
        #[codec(index = 61)]
        DuplicateChild,
        /// The children get more than the whole.
        #[codec(index = 62)]
        ProportionOverflow,
        /// There are too many children.
        #[codec(index = 63)]
        TooManyChildren,
        /// The same was done too few blocks ago.
        #[codec(index = 64)]
        TxRateLimitExceeded,
        /// Nothing here raises it.
        #[codec(index = 65)]
        SwapAlreadyScheduled,
        /// Nothing here raises it.
        #[codec(index = 66)]
        FailedToSchedule,
        /// Nothing here raises it.
        #[codec(index = 67)]
        NewColdKeyIsHotkey,
        /// The take of a child hotkey is out of bounds.
        #[codec(index = 68)]
        InvalidChildkeyTake,
        /// The take of the child hotkey was raised too few blocks ago.
        #[codec(index = 69)]
        TxChildkeyTakeRateLimitExceeded,
        /// A part of the identity is too long.
        #[codec(index = 70)]
        InvalidIdentity,
        /// The subnet has no such mechanism.
        #[codec(index = 71)]
        MechanismDoesNotExist,
        /// Nothing here raises it.
        #[codec(index = 72)]
        CannotUnstakeLock,
        /// There is no such subnet.
        #[codec(index = 73)]
        SubnetNotExists,
        /// The hotkey has as many commits waiting as it may.
        #[codec(index = 74)]
        TooManyUnrevealedCommits,
        /// The time for revealing these weights has passed.
        #[codec(index = 75)]
        ExpiredWeightCommit,
        /// The time for revealing these weights has not come.
        #[codec(index = 76)]
        RevealTooEarly,
        /// The lists are not of the same length.
        #[codec(index = 77)]
        InputLengthsUnequal,
        /// The hotkey committed weights too few blocks ago.
        #[codec(index = 78)]
        CommittingWeightsTooFast,
        /// The amount is below the least stake.
        #[codec(index = 79)]
        AmountTooLow,
        /// The pool holds less TAO than is withdrawn.
        #[codec(index = 80)]
        InsufficientLiquidity,
        /// The price is beyond the limit.
        #[codec(index = 81)]
        SlippageTooHigh,
        /// Stake on this subnet stays with its coldkey.
        #[codec(index = 82)]
        TransferDisallowed,
        /// The activity cutoff is below its bound.
        #[codec(index = 83)]
        ActivityCutoffTooLow,
        /// Nothing here raises it.
        #[codec(index = 84)]
        CallDisabled,
        /// The subnet has been started already.
        #[codec(index = 85)]
        FirstEmissionBlockNumberAlreadySet,
        /// The subnet was registered too few blocks ago; the spelling is the chain's.
        #[codec(index = 86)]
        NeedWaitingMoreBlocksToStarCall,
        /// Nothing here raises it.
        #[codec(index = 87)]
        NotEnoughAlphaOutToRecycle,
        /// Stake on root is TAO.
        #[codec(index = 88)]
        CannotBurnOrRecycleOnRootSubnet,
        /// Nothing here raises it.
        #[codec(index = 89)]
        UnableToRecoverPublicKey,
        /// Nothing here raises it.
        #[codec(index = 90)]
        InvalidRecoveredPublicKey,
        /// The subnet has not been started.
        #[codec(index = 91)]
        SubtokenDisabled,
        /// The coldkey swapped a hotkey on this subnet too few blocks ago.
        #[codec(index = 92)]
        HotKeySwapOnSubnetIntervalNotPassed,
        /// Nothing here raises it.
        #[codec(index = 93)]
        ZeroMaxStakeAmount,
        /// Both ends of the move are the same.
        #[codec(index = 94)]
        SameNetuid,
        /// Nothing here raises it.
        #[codec(index = 95)]
        InsufficientBalance,
        /// Nothing here raises it.
        #[codec(index = 96)]
        StakingOperationRateLimitExceeded,
        /// Nothing here raises it.
        #[codec(index = 97)]
        InvalidLeaseBeneficiary,
        /// Nothing here raises it.
        #[codec(index = 98)]
        LeaseCannotEndInThePast,
        /// Nothing here raises it.
        #[codec(index = 99)]
        LeaseNetuidNotFound,
        /// Nothing here raises it.
        #[codec(index = 100)]
        LeaseDoesNotExist,
        /// Nothing here raises it.
        #[codec(index = 101)]
        LeaseHasNoEndBlock,
        /// Nothing here raises it.
        #[codec(index = 102)]
        LeaseHasNotEnded,
        /// Nothing here raises it.
        #[codec(index = 103)]
        Overflow,
        /// Nothing here raises it.
        #[codec(index = 104)]
        BeneficiaryDoesNotOwnHotkey,
        /// Nothing here raises it.
        #[codec(index = 105)]
        ExpectedBeneficiaryOrigin,
        /// An epoch is near, and hyperparameters stay as they are.
        #[codec(index = 106)]
        AdminActionProhibitedDuringWeightsWindow,
        /// Nothing here raises it.
        #[codec(index = 107)]
        SymbolDoesNotExist,
        /// Nothing here raises it.
        #[codec(index = 108)]
        SymbolAlreadyInUse,
        /// The version of the timelocked commit is not the one that is accepted.
        #[codec(index = 109)]
        IncorrectCommitRevealVersion,
        /// The reveal period is too long.
        #[codec(index = 110)]
        RevealPeriodTooLarge,
        /// The reveal period is too short.
        #[codec(index = 111)]
        RevealPeriodTooSmall,
        /// The value is out of bounds.
        #[codec(index = 112)]
        InvalidValue,
        /// There can be no more subnets.
        #[codec(index = 113)]
        SubnetLimitReached,
        /// The coldkey cannot pay for a subnet.
        #[codec(index = 114)]
        CannotAffordLockCost,
        /// Nothing here raises it.
        #[codec(index = 115)]
        EvmKeyAssociateRateLimitExceeded,
        /// The incentive is staked there already.
        #[codec(index = 116)]
        SameAutoStakeHotkeyAlreadySet,
        /// Nothing here raises it.
        #[codec(index = 117)]
        UidMapCouldNotBeCleared,
        /// Too many of those that would be left are immune.
        #[codec(index = 118)]
        TrimmingWouldExceedMaxImmunePercentage,
        /// A parent of the hotkey cannot be its child.
        #[codec(index = 119)]
        ChildParentInconsistency,
        /// Nothing here raises it.
        #[codec(index = 120)]
        InvalidNumRootClaim,
        /// Nothing here raises it.
        #[codec(index = 121)]
        InvalidRootClaimThreshold,
        /// Nothing here raises it.
        #[codec(index = 122)]
        InvalidSubnetNumber,
        /// Nothing here raises it.
        #[codec(index = 123)]
        PrecisionLoss,
        /// Nothing here raises it.
        #[codec(index = 124)]
        InvalidVotingPowerEmaAlpha,
        /// Nothing here raises it.
        #[codec(index = 125)]
        Deprecated,
        /// Nothing here raises it.
        #[codec(index = 126)]
        SubnetBuybackRateLimitExceeded,
        /// Nothing here raises it.
        #[codec(index = 127)]
        NetworkDissolveAlreadyQueued,
        /// Nothing here raises it.
        #[codec(index = 128)]
        AddStakeBurnRateLimitExceeded,
        /// Nothing here raises it.
        #[codec(index = 129)]
        ColdkeySwapAnnounced,
        /// Nothing here raises it.
        #[codec(index = 130)]
        ColdkeySwapDisputed,
        /// Nothing here raises it.
        #[codec(index = 131)]
        ColdkeySwapClearTooEarly,
        /// Nothing here raises it.
        #[codec(index = 132)]
        DisabledTemporarily,
        /// The registration costs more than the caller would pay.
        #[codec(index = 133)]
        RegistrationPriceLimitExceeded,
        /// Nothing here raises it.
        #[codec(index = 134)]
        LockHotkeyMismatch,
        /// Nothing here raises it.
        #[codec(index = 135)]
        InsufficientStakeForLock,
        /// Nothing here raises it.
        #[codec(index = 136)]
        NoExistingLock,
        /// Nothing here raises it.
        #[codec(index = 137)]
        ActiveLockExists,
        /// Nothing here raises it.
        #[codec(index = 138)]
        CannotUseSystemAccount,
        /// Nothing here raises it.
        #[codec(index = 139)]
        UnlockAmountTooHigh,
        /// The tempo is out of bounds.
        #[codec(index = 140)]
        TempoOutOfBounds,
        /// The activity cutoff is out of bounds.
        #[codec(index = 141)]
        ActivityCutoffFactorMilliOutOfBounds,
        /// An epoch out of turn is awaited already.
        #[codec(index = 142)]
        EpochTriggerAlreadyPending,
        /// The next epoch is near anyway.
        #[codec(index = 143)]
        AutoEpochAlreadyImminent,
        /// Epochs out of turn would break the timing of commits.
        #[codec(index = 144)]
        DynamicTempoBlockedByCommitReveal,
    }
}
