//! Why a call fails.

use frame_support::pallet_macros::pallet_section;

/// Errors, with the numbers that they have on Bittensor at spec version 365; those that came later are numbered apart.
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
        /// A weight is larger than the subnet allows.
        #[codec(index = 26)]
        MaxWeightExceeded,
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
        /// The subnet takes no registrations.
        #[codec(index = 36)]
        SubNetRegistrationDisabled,
        /// Root took as many registrations in this interval as it may.
        #[codec(index = 37)]
        TooManyRegistrationsThisInterval,
        /// The call is for the subnet's owner.
        #[codec(index = 40)]
        NotSubnetOwner,
        /// Subnet 0 takes no registrations.
        #[codec(index = 41)]
        RegistrationNotPermittedOnRootSubnet,
        /// Everybody on root has as much stake as the hotkey.
        #[codec(index = 42)]
        StakeTooLowForRoot,
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
        /// The subnet has been started already.
        #[codec(index = 85)]
        FirstEmissionBlockNumberAlreadySet,
        /// The subnet was registered too few blocks ago; the spelling is the chain's.
        #[codec(index = 86)]
        NeedWaitingMoreBlocksToStarCall,
        /// Stake on root is TAO.
        #[codec(index = 88)]
        CannotBurnOrRecycleOnRootSubnet,
        /// The subnet has not been started.
        #[codec(index = 91)]
        SubtokenDisabled,
        /// Both ends of the move are the same.
        #[codec(index = 94)]
        SameNetuid,
        /// An epoch is near, and hyperparameters stay as they are.
        #[codec(index = 106)]
        AdminActionProhibitedDuringWeightsWindow,
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
        /// The incentive is staked there already.
        #[codec(index = 116)]
        SameAutoStakeHotkeyAlreadySet,
        /// Too many of those that would be left are immune.
        #[codec(index = 118)]
        TrimmingWouldExceedMaxImmunePercentage,
        /// A parent of the hotkey cannot be its child.
        #[codec(index = 119)]
        ChildParentInconsistency,
        /// The registration costs more than the caller would pay.
        #[codec(index = 133)]
        RegistrationPriceLimitExceeded,
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
