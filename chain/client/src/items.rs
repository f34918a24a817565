//! Every storage item on the chain that this client reads, with the types that it relies on.
//!
//! One table, so that a client can hold all of it against a runtime's metadata when it connects.

use crate::contract::{
    Need::{self, Always, WhereKnown},
    Value::{self, Exactly, Fields},
};

/// A storage item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) pallet: &'static str,
    pub(crate) name: &'static str,
    /// Types of the keys, in the notation of [`crate::contract::describe`].
    pub(crate) keys: &'static [&'static str],
    pub(crate) value: Value,
    pub(crate) need: Need,
}

macro_rules! items {
    ($($const:ident = $pallet:literal . $name:literal [$($key:expr),*] => $value:expr, $need:expr;)*) => {
        $(pub(crate) const $const: Item = Item {
            pallet: $pallet, name: $name, keys: &[$($key),*], value: $value, need: $need,
        };)*

        /// All of them.
        pub(crate) const ALL: &[Item] = &[$($const),*];
    };
}

/// An extrinsic as a whole, whose type is the runtime's business: any type is taken for it.
pub(crate) const EXTRINSIC: &str = "an extrinsic";
const NETUID: &str = "u16";
const UID: &str = "u16";
const EPOCH: &str = "u64";
const KEY: &str = "[u8; 32]";
const U16: Value = Exactly("u16");
const U64: Value = Exactly("u64");
const BOOL: Value = Exactly("bool");
const U16S: Value = Exactly("Vec<u16>");
const U64S: Value = Exactly("Vec<u64>");
const BOOLS: Value = Exactly("Vec<bool>");

items! {
    ACCOUNT = "System"."Account"[KEY] => Fields(&[("nonce", "u32"), ("data", "struct AccountData")]), Always;
    ACTIVE = "SubtensorModule"."Active"[NETUID] => BOOLS, Always;
    ACTIVITY_CUTOFF = "SubtensorModule"."ActivityCutoff"[NETUID] => U16, WhereKnown;
    ACTIVITY_CUTOFF_FACTOR = "SubtensorModule"."ActivityCutoffFactorMilli"[NETUID] => Exactly("u32"), WhereKnown;
    ALPHA_SIGMOID_STEEPNESS = "SubtensorModule"."AlphaSigmoidSteepness"[NETUID] => Exactly("i16"), WhereKnown;
    ALPHA_VALUES = "SubtensorModule"."AlphaValues"[NETUID] => Exactly("(u16, u16)"), WhereKnown;
    AXONS = "SubtensorModule"."Axons"[NETUID, KEY] => Fields(&[("ip", "u128"), ("port", "u16"), ("ip_type", "u8")]), Always;
    BEACON = "Drand"."BeaconConfig"[] => Fields(&[
        ("public_key", "Vec<u8>"), ("period", "u32"), ("genesis_time", "u32"),
    ]), WhereKnown;
    BLOCKS_SINCE_LAST_STEP = "SubtensorModule"."BlocksSinceLastStep"[NETUID] => U64, WhereKnown;
    BLOCK_AT_REGISTRATION = "SubtensorModule"."BlockAtRegistration"[NETUID, UID] => U64, Always;
    BONDS = "SubtensorModule"."Bonds"[NETUID, UID] => Exactly("Vec<(u16, u16)>"), WhereKnown;
    BONDS_MOVING_AVERAGE = "SubtensorModule"."BondsMovingAverage"[NETUID] => U64, WhereKnown;
    BONDS_PENALTY = "SubtensorModule"."BondsPenalty"[NETUID] => U16, WhereKnown;
    BURN = "SubtensorModule"."Burn"[NETUID] => U64, Always;
    COMMITMENT_OF = "Commitments"."CommitmentOf"[NETUID, KEY] => Fields(&[
        ("block", "u32"), ("info", "Vec<enum Data>"),
    ]), Always;
    COMMIT_REVEAL_VERSION = "SubtensorModule"."CommitRevealWeightsVersion"[] => U16, WhereKnown;
    COMMIT_REVEAL_WEIGHTS_ENABLED = "SubtensorModule"."CommitRevealWeightsEnabled"[NETUID] => BOOL, Always;
    CONSENSUS = "SubtensorModule"."Consensus"[NETUID] => U16S, Always;
    DIVIDENDS = "SubtensorModule"."Dividends"[NETUID] => U16S, Always;
    EMISSION = "SubtensorModule"."Emission"[NETUID] => U64S, Always;
    IMMUNITY_PERIOD = "SubtensorModule"."ImmunityPeriod"[NETUID] => U16, WhereKnown;
    INCENTIVE = "SubtensorModule"."Incentive"[NETUID] => U16S, Always;
    KAPPA = "SubtensorModule"."Kappa"[NETUID] => U16, WhereKnown;
    KEYS = "SubtensorModule"."Keys"[NETUID, UID] => Exactly(KEY), Always;
    LAST_DRAND_ROUND = "Drand"."LastStoredRound"[] => U64, WhereKnown;
    LAST_EPOCH_BLOCK = "SubtensorModule"."LastEpochBlock"[NETUID] => U64, WhereKnown;
    LAST_UPDATE = "SubtensorModule"."LastUpdate"[NETUID] => U64S, Always;
    LIQUID_ALPHA_ON = "SubtensorModule"."LiquidAlphaOn"[NETUID] => BOOL, WhereKnown;
    MAX_ALLOWED_UIDS = "SubtensorModule"."MaxAllowedUids"[NETUID] => U16, WhereKnown;
    MAX_ALLOWED_VALIDATORS = "SubtensorModule"."MaxAllowedValidators"[NETUID] => U16, WhereKnown;
    MAX_BURN = "SubtensorModule"."MaxBurn"[NETUID] => U64, WhereKnown;
    MAX_WEIGHTS_LIMIT = "SubtensorModule"."MaxWeightsLimit"[NETUID] => U16, WhereKnown;
    MIN_ALLOWED_WEIGHTS = "SubtensorModule"."MinAllowedWeights"[NETUID] => U16, WhereKnown;
    MIN_BURN = "SubtensorModule"."MinBurn"[NETUID] => U64, WhereKnown;
    NETWORKS_ADDED = "SubtensorModule"."NetworksAdded"[NETUID] => BOOL, Always;
    NETWORK_REGISTRATION_ALLOWED = "SubtensorModule"."NetworkRegistrationAllowed"[NETUID] => BOOL, WhereKnown;
    NOW = "Timestamp"."Now"[] => U64, Always;
    OWNER = "SubtensorModule"."Owner"[KEY] => Exactly(KEY), Always;
    PENDING_EPOCH_AT = "SubtensorModule"."PendingEpochAt"[NETUID] => U64, WhereKnown;
    REVEAL_PERIOD = "SubtensorModule"."RevealPeriodEpochs"[NETUID] => U64, WhereKnown;
    STAKE_THRESHOLD = "SubtensorModule"."StakeThreshold"[] => U64, WhereKnown;
    STAKE_WEIGHT = "SubtensorModule"."StakeWeight"[NETUID] => U16S, WhereKnown;
    SUBNETWORK_N = "SubtensorModule"."SubnetworkN"[NETUID] => U16, Always;
    SUBNET_EPOCH_INDEX = "SubtensorModule"."SubnetEpochIndex"[NETUID] => U64, WhereKnown;
    SUBNET_OWNER = "SubtensorModule"."SubnetOwner"[NETUID] => Exactly(KEY), WhereKnown;
    SUBNET_OWNER_HOTKEY = "SubtensorModule"."SubnetOwnerHotkey"[NETUID] => Exactly(KEY), WhereKnown;
    TEMPO = "SubtensorModule"."Tempo"[NETUID] => U16, Always;
    TIMELOCKED_COMMITS = "SubtensorModule"."TimelockedWeightCommits"[NETUID, EPOCH] =>
        Exactly("Vec<([u8; 32], u64, Vec<u8>, u64)>"), WhereKnown;
    TOTAL_HOTKEY_ALPHA = "SubtensorModule"."TotalHotkeyAlpha"[KEY, NETUID] => U64, Always;
    UIDS = "SubtensorModule"."Uids"[NETUID, KEY] => U16, Always;
    VALIDATOR_PERMIT = "SubtensorModule"."ValidatorPermit"[NETUID] => BOOLS, Always;
    VALIDATOR_TRUST = "SubtensorModule"."ValidatorTrust"[NETUID] => U16S, Always;
    WEIGHTS = "SubtensorModule"."Weights"[NETUID, UID] => Exactly("Vec<(u16, u16)>"), Always;
    WEIGHTS_SET_RATE_LIMIT = "SubtensorModule"."WeightsSetRateLimit"[NETUID] => U64, Always;
    WEIGHTS_VERSION_KEY = "SubtensorModule"."WeightsVersionKey"[NETUID] => U64, Always;
    WEIGHT_COMMITS = "SubtensorModule"."WeightCommits"[NETUID, KEY] =>
        Exactly("Vec<([u8; 32], u64, u64, u64)>"), WhereKnown;
    YUMA3_ON = "SubtensorModule"."Yuma3On"[NETUID] => BOOL, WhereKnown;
}

/// A function of a runtime API, whose answer is a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Api {
    pub(crate) name: &'static str,
    pub(crate) function: &'static str,
    /// Types of the arguments.
    pub(crate) inputs: &'static [&'static str],
    /// Whether the answer may be none.
    pub(crate) optional: bool,
    /// Fields of the structure that are used, with their types.
    pub(crate) fields: &'static [(&'static str, &'static str)],
    pub(crate) need: Need,
}

/// The parts of a metagraph that are asked for by number: most of a subnet in one answer.
pub(crate) const SELECTIVE_METAGRAPH: Api = Api {
    name: "SubnetInfoRuntimeApi",
    function: "get_selective_metagraph",
    inputs: &[NETUID, "Vec<u16>"],
    optional: true,
    fields: &[
        ("hotkeys", "Option<Vec<[u8; 32]>>"),
        ("coldkeys", "Option<Vec<[u8; 32]>>"),
        ("axons", "Option<Vec<struct AxonInfo>>"),
        ("active", "Option<Vec<bool>>"),
        ("validator_permit", "Option<Vec<bool>>"),
        ("last_update", "Option<Vec<Compact<u64>>>"),
        ("emission", "Option<Vec<Compact<u64>>>"),
        ("dividends", "Option<Vec<Compact<u16>>>"),
        ("incentives", "Option<Vec<Compact<u16>>>"),
        ("consensus", "Option<Vec<Compact<u16>>>"),
        ("block_at_registration", "Option<Vec<Compact<u64>>>"),
        ("total_stake", "Option<Vec<Compact<u64>>>"),
        ("commitments", "Option<Vec<([u8; 32], Vec<Compact<u8>>)>>"),
    ],
    need: WhereKnown,
};

/// The fee of an extrinsic.
pub(crate) const QUERY_INFO: Api = Api {
    name: "TransactionPaymentApi",
    function: "query_info",
    inputs: &[EXTRINSIC, "u32"],
    optional: false,
    fields: &[("partial_fee", "u64")],
    need: WhereKnown,
};

/// Items of runtimes with a stateful epoch schedule only; older ones run epochs by block number.
pub(crate) const STATEFUL_SCHEDULE: [Item; 3] =
    [LAST_EPOCH_BLOCK, PENDING_EPOCH_AT, SUBNET_EPOCH_INDEX];
