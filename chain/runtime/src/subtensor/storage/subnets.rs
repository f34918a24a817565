//! What is stored once per chain or once per subnet.

use frame_support::pallet_macros::pallet_section;

/// Chain-wide and per-subnet values. Defaults are Bittensor's.
#[pallet_section]
mod storage_subnets {
    /// TAO that exists, free or staked, in rao.
    #[pallet::storage]
    pub type TotalIssuance<T> = StorageValue<_, u64, ValueQuery>;
    /// TAO in all subnets' pools, in rao.
    #[pallet::storage]
    pub type TotalStake<T> = StorageValue<_, u64, ValueQuery>;
    /// Number of subnets.
    #[pallet::storage]
    pub type TotalNetworks<T> = StorageValue<_, u16, ValueQuery>;
    /// Least stake weight, in rao, for setting weights.
    #[pallet::storage]
    pub type StakeThreshold<T> = StorageValue<_, u64, ValueQuery>;
    /// The subnet owner's share of the emission, out of 65535.
    #[pallet::storage]
    pub type SubnetOwnerCut<T> = StorageValue<_, u16, ValueQuery, ConstU16<11_796>>;
    /// Most subnets.
    #[pallet::storage]
    pub type SubnetLimit<T> = StorageValue<_, u16, ValueQuery, ConstU16<128>>;
    /// Least price of a subnet, in rao.
    #[pallet::storage]
    pub type NetworkMinLockCost<T> = StorageValue<_, u64, ValueQuery, ConstU64<1_000_000_000_000>>;
    /// Price of the last subnet, in rao.
    #[pallet::storage]
    pub type NetworkLastLockCost<T> = StorageValue<_, u64, ValueQuery, ConstU64<1_000_000_000_000>>;
    /// Blocks in which the price of a subnet falls by the last price.
    #[pallet::storage]
    pub type NetworkLockReductionInterval<T> = StorageValue<_, u64, ValueQuery, ConstU64<100_800>>;
    /// Most epochs per block; a due subnet beyond them waits for the next block.
    #[pallet::storage]
    pub type MaxEpochsPerBlock<T> = StorageValue<_, u8, ValueQuery, ConstU8<2>>;
    /// Whether 127.0.0.1 and ::1 may be announced; an addition of this chain, set only by its genesis.
    #[pallet::storage]
    pub type LoopbackAxons<T> = StorageValue<_, bool, ValueQuery>;

    /// Whether a subnet exists.
    #[pallet::storage]
    pub type NetworksAdded<T> = StorageMap<_, Identity, NetUid, bool, ValueQuery>;
    /// Number of UIDs in use.
    #[pallet::storage]
    pub type SubnetworkN<T> = StorageMap<_, Identity, NetUid, u16, ValueQuery>;
    /// How stake is priced: 0, one to one with TAO, for every subnet here.
    #[pallet::storage]
    pub type SubnetMechanism<T> = StorageMap<_, Identity, NetUid, u16, ValueQuery>;
    /// Number of mechanisms: 1 for every subnet here.
    #[pallet::storage]
    pub type MechanismCountCurrent<T> =
        StorageMap<_, Twox64Concat, NetUid, u8, ValueQuery, ConstU8<1>>;
    /// Coldkey that owns the subnet.
    #[pallet::storage]
    pub type SubnetOwner<T: Config> =
        StorageMap<_, Identity, NetUid, AccountId32, ValueQuery, NobodysAccount>;
    /// The owner's hotkey.
    #[pallet::storage]
    pub type SubnetOwnerHotkey<T: Config> =
        StorageMap<_, Identity, NetUid, AccountId32, ValueQuery, NobodysAccount>;
    /// Block in which the subnet was registered.
    #[pallet::storage]
    pub type NetworkRegisteredAt<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// First block with emission, once the owner has started the subnet.
    #[pallet::storage]
    pub type FirstEmissionBlockNumber<T> = StorageMap<_, Identity, NetUid, u64, OptionQuery>;
    /// Whether the subnet can be staked on.
    #[pallet::storage]
    pub type SubtokenEnabled<T> = StorageMap<_, Identity, NetUid, bool, ValueQuery>;
    /// Symbol of the subnet's token, in UTF-8.
    #[pallet::storage]
    pub type TokenSymbol<T> =
        StorageMap<_, Identity, NetUid, Vec<u8>, ValueQuery, DefaultTokenSymbol>;
    /// The symbol of a subnet that chose none.
    #[pallet::type_value]
    pub fn DefaultTokenSymbol() -> Vec<u8> {
        "𝜏".as_bytes().to_vec()
    }

    /// What the registration of the subnet cost, in rao.
    #[pallet::storage]
    pub type SubnetLocked<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;

    /// Blocks between epochs.
    #[pallet::storage]
    pub type Tempo<T> = StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<360>>;
    /// Block of the last epoch slot.
    #[pallet::storage]
    pub type LastEpochBlock<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// Block that an epoch is put off to, or 0.
    #[pallet::storage]
    pub type PendingEpochAt<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// Number of epoch slots so far.
    #[pallet::storage]
    pub type SubnetEpochIndex<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// Blocks since the last epoch.
    #[pallet::storage]
    pub type BlocksSinceLastStep<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// Block of the last epoch that ran; the spelling is the chain's.
    #[pallet::storage]
    pub type LastMechansimStepBlock<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;

    /// TAO in the subnet's pool, in rao.
    #[pallet::storage]
    pub type SubnetTAO<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// Alpha issued: staked, pending or burned, in rao.
    #[pallet::storage]
    pub type SubnetAlphaOut<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// Alpha minted per block, in rao.
    #[pallet::storage]
    pub type SubnetAlphaOutEmission<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// TAO minted into the pool per block, in rao.
    #[pallet::storage]
    pub type SubnetTaoInEmission<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// Miners' alpha that waits for the epoch, in rao.
    #[pallet::storage]
    pub type PendingServerEmission<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// Validators' alpha that waits for the epoch, in rao.
    #[pallet::storage]
    pub type PendingValidatorEmission<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// The owner's alpha that waits for the epoch, in rao.
    #[pallet::storage]
    pub type PendingOwnerCut<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// What happens to incentive that falls to the owner's own hotkeys.
    #[pallet::storage]
    pub type RecycleOrBurn<T> = StorageMap<_, Identity, NetUid, RecycleOrBurnEnum, ValueQuery>;

    /// Whether hotkeys can register.
    #[pallet::storage]
    pub type NetworkRegistrationAllowed<T> =
        StorageMap<_, Identity, NetUid, bool, ValueQuery, ConstBool<true>>;
    /// Price of the next registration, in rao.
    #[pallet::storage]
    pub type Burn<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery, ConstU64<100_000_000>>;
    /// Lower bound of the price, in rao.
    #[pallet::storage]
    pub type MinBurn<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery, ConstU64<500_000>>;
    /// Upper bound of the price, in rao.
    #[pallet::storage]
    pub type MaxBurn<T> =
        StorageMap<_, Identity, NetUid, u64, ValueQuery, ConstU64<100_000_000_000>>;
    /// Blocks in which the price halves while nobody registers; 0 for never.
    #[pallet::storage]
    pub type BurnHalfLife<T> = StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<360>>;
    /// What a registration multiplies the price by.
    #[pallet::storage]
    pub type BurnIncreaseMult<T> =
        StorageMap<_, Identity, NetUid, U64F64, ValueQuery, DefaultBurnIncreaseMult>;
    /// 1.26, of which three give about a doubling.
    #[pallet::type_value]
    pub fn DefaultBurnIncreaseMult() -> U64F64 {
        U64F64::from_int(126).scale(1, 100)
    }
    /// TAO burned by registrations, in rao.
    #[pallet::storage]
    pub type RAORecycledForRegistration<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// Registrations in this block.
    #[pallet::storage]
    pub type RegistrationsThisBlock<T> = StorageMap<_, Identity, NetUid, u16, ValueQuery>;
    /// Most UIDs.
    #[pallet::storage]
    pub type MaxAllowedUids<T> = StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<4_096>>;
    /// Blocks after registration in which a neuron is spared.
    #[pallet::storage]
    pub type ImmunityPeriod<T> = StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<4_096>>;
    /// As long as no more neurons than this are past their immunity, immune ones are replaced instead.
    #[pallet::storage]
    pub type MinNonImmuneUids<T> = StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<10>>;
    /// How many of the owner's UIDs are never replaced.
    #[pallet::storage]
    pub type ImmuneOwnerUidsLimit<T> =
        StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<1>>;
    /// Blocks between two axon announcements of a hotkey.
    #[pallet::storage]
    pub type ServingRateLimit<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery, ConstU64<50>>;

    /// Blocks between two weight settings of a hotkey.
    #[pallet::storage]
    pub type WeightsSetRateLimit<T> =
        StorageMap<_, Identity, NetUid, u64, ValueQuery, ConstU64<100>>;
    /// Oldest version of weights that is accepted.
    #[pallet::storage]
    pub type WeightsVersionKey<T> = StorageMap<_, Identity, NetUid, u64, ValueQuery>;
    /// Fewest entries of a weight vector.
    #[pallet::storage]
    pub type MinAllowedWeights<T> =
        StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<1_024>>;
    /// Largest share of a weight, out of 65535.
    #[pallet::storage]
    pub type MaxWeightsLimit<T> =
        StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<{ u16::MAX }>>;
    /// Whether weights are committed before they are shown. A new subnet's are set in the open.
    #[pallet::storage]
    pub type CommitRevealWeightsEnabled<T> =
        StorageMap<_, Identity, NetUid, bool, ValueQuery, ConstBool<true>>;
    /// Most validator permits.
    #[pallet::storage]
    pub type MaxAllowedValidators<T> =
        StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<128>>;
    /// Thousandths of a tempo without an update after which a neuron is inactive.
    #[pallet::storage]
    pub type ActivityCutoffFactorMilli<T> =
        StorageMap<_, Identity, NetUid, u32, ValueQuery, ConstU32<13_889>>;
    /// Majority of stake, out of 65535.
    #[pallet::storage]
    pub type Kappa<T> = StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<32_767>>;
    /// Inertia of bonds, in millionths.
    #[pallet::storage]
    pub type BondsMovingAverage<T> =
        StorageMap<_, Identity, NetUid, u64, ValueQuery, ConstU64<900_000>>;
    /// Penalty on bonds for weights above consensus, out of 65535.
    #[pallet::storage]
    pub type BondsPenalty<T> =
        StorageMap<_, Identity, NetUid, u16, ValueQuery, ConstU16<{ u16::MAX }>>;
    /// Whether bonds follow Yuma 3.
    #[pallet::storage]
    pub type Yuma3On<T> = StorageMap<_, Blake2_128Concat, NetUid, bool, ValueQuery>;
    /// Whether Yuma 3 adapts the bonds' inertia.
    #[pallet::storage]
    pub type LiquidAlphaOn<T> = StorageMap<_, Blake2_128Concat, NetUid, bool, ValueQuery>;
    /// Bounds of that inertia, out of 65535.
    #[pallet::storage]
    pub type AlphaValues<T> =
        StorageMap<_, Identity, NetUid, (u16, u16), ValueQuery, DefaultAlphaValues>;
    /// 0.7 and 0.9.
    #[pallet::type_value]
    pub fn DefaultAlphaValues() -> (u16, u16) {
        (45_875, 58_982)
    }
    /// Slope of that inertia, in hundredths.
    #[pallet::storage]
    pub type AlphaSigmoidSteepness<T> =
        StorageMap<_, Identity, NetUid, i16, ValueQuery, ConstI16<1_000>>;
}
