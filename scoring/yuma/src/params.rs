//! The hyperparameters of a subnet that an epoch depends on.

/// Hyperparameters of one subnet, as the chain stores them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// Number of UIDs of the subnet (`SubnetworkN`).
    pub n: u16,
    /// Blocks from one epoch to the next (`Tempo`).
    pub tempo: u16,
    /// A validator counts as active for this many thousandths of a tempo after its last weights
    /// (`ActivityCutoffFactorMilli`).
    pub activity_cutoff_factor_milli: u32,
    /// Share of stake that decides the consensus weight of a miner, times 65535 (`Kappa`).
    pub kappa: u16,
    /// Share of the old bonds that survives an epoch, in millionths (`BondsMovingAverage`).
    pub bonds_moving_average: u64,
    /// How far bonds follow the clipped weights (65535) and not the weights as set (0) (`BondsPenalty`).
    pub bonds_penalty: u16,
    /// Whether bonds are moving averages per pair of validator and miner (`Yuma3On`).
    pub yuma3: bool,
    /// Per-pair smoothing of the bonds; `None` when `LiquidAlphaOn` is off. Only used together with [`Self::yuma3`].
    pub liquid_alpha: Option<LiquidAlpha>,
    /// How many UIDs hold a validator permit at most (`MaxAllowedValidators`).
    pub max_allowed_validators: u16,
    /// Total stake in rao below which a UID counts as unstaked (`StakeThreshold`).
    pub stake_threshold: u64,
    /// What a rao on root counts for in this subnet, times 2^64 - 1 (`TaoWeight`).
    pub tao_weight: u64,
    /// Whether weights are committed first and revealed later (`CommitRevealWeightsEnabled`).
    pub commit_reveal: bool,
    /// Epochs from a commit to its reveal (`RevealPeriodEpochs`).
    pub reveal_period: u64,
    /// UID of the subnet owner's hotkey, if it has one: it always has a permit and may weigh itself.
    pub owner_uid: Option<u16>,
}

/// Range and slope of the per-pair smoothing factor of bonds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiquidAlpha {
    /// Lowest smoothing factor, times 65535 (first of `AlphaValues`).
    pub low: u16,
    /// Highest smoothing factor, times 65535 (second of `AlphaValues`).
    pub high: u16,
    /// Hundredfold slope of the sigmoid between the two (`AlphaSigmoidSteepness`).
    pub steepness: i16,
}
