//! The columns that the table of neurons can have.

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "named as the table heads them")]
pub enum Column {
    Uid,
    Role,
    Hotkey,
    Coldkey,
    Behaviour,
    Stake,
    Permit,
    Incentive,
    Dividends,
    Emission,
    Trend,
    Consensus,
    Trust,
    Fidelity,
    Correctness,
    Service,
    Liveliness,
    Quality,
    PaidQuality,
    Asks,
    Latency,
    Checkpoint,
    Axon,
    Updated,
    Registered,
    Fault,
}

impl Column {
    /// All of them, in the order in which they stand.
    pub const ALL: [Self; 26] = [
        Self::Uid,
        Self::Role,
        Self::Hotkey,
        Self::Coldkey,
        Self::Behaviour,
        Self::Stake,
        Self::Permit,
        Self::Incentive,
        Self::Dividends,
        Self::Emission,
        Self::Trend,
        Self::Consensus,
        Self::Trust,
        Self::Fidelity,
        Self::Correctness,
        Self::Service,
        Self::Liveliness,
        Self::Quality,
        Self::PaidQuality,
        Self::Asks,
        Self::Latency,
        Self::Checkpoint,
        Self::Axon,
        Self::Updated,
        Self::Registered,
        Self::Fault,
    ];

    /// Whether a table has it before anybody chose.
    pub fn by_default(self) -> bool {
        !matches!(self, Self::Coldkey | Self::Permit | Self::Registered)
    }

    /// Which columns stay where there is no room for all: the lowest first.
    pub fn rank(self) -> u8 {
        match self {
            Self::Uid => 0,
            Self::Fault => 1,
            Self::Role => 2,
            Self::Emission => 3,
            Self::Behaviour => 4,
            Self::Incentive => 5,
            Self::Hotkey => 6,
            Self::Dividends => 7,
            Self::Fidelity => 8,
            Self::Correctness => 9,
            Self::Service => 10,
            Self::PaidQuality => 11,
            Self::Stake => 12,
            Self::Trend => 13,
            Self::Checkpoint => 14,
            Self::Latency => 15,
            Self::Updated => 16,
            Self::Consensus => 17,
            Self::Trust => 18,
            Self::Liveliness => 19,
            Self::Quality => 20,
            Self::Asks => 21,
            Self::Axon => 22,
            Self::Permit => 23,
            Self::Registered => 24,
            Self::Coldkey => 25,
        }
    }

    /// What it holds, for whoever chooses columns.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Uid => "slot",
            Self::Role => "V validator, M miner",
            Self::Hotkey => "the key that serves or votes",
            Self::Coldkey => "the key that owns the hotkey",
            Self::Behaviour => "what it is known to be (local subnets)",
            Self::Stake => "stake on the subnet, TAO",
            Self::Permit => "whether it may set weights",
            Self::Incentive => "share of the miners' pay, %",
            Self::Dividends => "share of the validators' pay, %",
            Self::Emission => "pay of the last epoch, TAO",
            Self::Trend => "pay over the epochs seen",
            Self::Consensus => "weight that a majority agrees to",
            Self::Trust => "part of a validator's weights that counted",
            Self::Fidelity => "closeness to the teacher",
            Self::Correctness => "credit on tasks with an answer",
            Self::Service => "answers in time",
            Self::Liveliness => "no loops, no missing ends",
            Self::Quality => "quality Q",
            Self::PaidQuality => "lower bound of Q, which is paid",
            Self::Asks => "share of asks answered",
            Self::Latency => "median time to the first token, ms",
            Self::Checkpoint => "model that it committed to",
            Self::Axon => "address",
            Self::Updated => "blocks since its last weights",
            Self::Registered => "block of the registration",
            Self::Fault => "what validators accuse it of",
        }
    }
}
