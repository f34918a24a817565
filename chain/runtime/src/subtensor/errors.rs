//! Why a call fails.

use frame_support::pallet_macros::pallet_section;

/// Errors, with the numbers that they have on Bittensor.
#[pallet_section]
mod errors {
    /// Why a call failed.
    #[pallet::error]
    pub enum Error<T> {
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
        /// The subnet takes no registrations.
        #[codec(index = 36)]
        SubNetRegistrationDisabled,
        /// The call is for the subnet's owner.
        #[codec(index = 40)]
        NotSubnetOwner,
        /// Subnet 0 takes no registrations.
        #[codec(index = 41)]
        RegistrationNotPermittedOnRootSubnet,
        /// Subnet 0 has no weights.
        #[codec(index = 46)]
        CanNotSetRootNetworkWeights,
        /// Every UID is taken by one that must stay.
        #[codec(index = 47)]
        NoNeuronIdAvailable,
        /// Weights must be committed first.
        #[codec(index = 52)]
        CommitRevealEnabled,
        /// The subnet has no such mechanism.
        #[codec(index = 71)]
        MechanismDoesNotExist,
        /// There is no such subnet.
        #[codec(index = 73)]
        SubnetNotExists,
        /// The amount is below the least stake.
        #[codec(index = 79)]
        AmountTooLow,
        /// The pool holds less TAO than is withdrawn.
        #[codec(index = 80)]
        InsufficientLiquidity,
        /// The subnet has been started already.
        #[codec(index = 85)]
        FirstEmissionBlockNumberAlreadySet,
        /// The subnet has not been started.
        #[codec(index = 91)]
        SubtokenDisabled,
        /// There can be no more subnets.
        #[codec(index = 113)]
        SubnetLimitReached,
        /// The coldkey cannot pay for a subnet.
        #[codec(index = 114)]
        CannotAffordLockCost,
        /// The registration costs more than the caller would pay.
        #[codec(index = 133)]
        RegistrationPriceLimitExceeded,
    }
}
