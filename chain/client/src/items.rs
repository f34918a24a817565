//! Every name on the chain that this client relies on.
//!
//! Kept in one table so that a test can look all of them up in a real runtime's metadata.

/// A storage item, by pallet and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) pallet: &'static str,
    pub(crate) name: &'static str,
}

macro_rules! items {
    ($($const:ident = $pallet:literal . $name:literal;)*) => {
        $(pub(crate) const $const: Item = Item { pallet: $pallet, name: $name };)*

        /// All of them.
        #[cfg(test)]
        pub(crate) const ALL: &[Item] = &[$($const),*];
    };
}

items! {
    ACCOUNT = "System"."Account";
    ACTIVE = "SubtensorModule"."Active";
    AXONS = "SubtensorModule"."Axons";
    BLOCK_AT_REGISTRATION = "SubtensorModule"."BlockAtRegistration";
    BURN = "SubtensorModule"."Burn";
    COMMITMENT_OF = "Commitments"."CommitmentOf";
    COMMIT_REVEAL_WEIGHTS_ENABLED = "SubtensorModule"."CommitRevealWeightsEnabled";
    CONSENSUS = "SubtensorModule"."Consensus";
    DIVIDENDS = "SubtensorModule"."Dividends";
    EMISSION = "SubtensorModule"."Emission";
    INCENTIVE = "SubtensorModule"."Incentive";
    KEYS = "SubtensorModule"."Keys";
    LAST_EPOCH_BLOCK = "SubtensorModule"."LastEpochBlock";
    LAST_UPDATE = "SubtensorModule"."LastUpdate";
    NETWORKS_ADDED = "SubtensorModule"."NetworksAdded";
    OWNER = "SubtensorModule"."Owner";
    PENDING_EPOCH_AT = "SubtensorModule"."PendingEpochAt";
    SUBNETWORK_N = "SubtensorModule"."SubnetworkN";
    SUBNET_EPOCH_INDEX = "SubtensorModule"."SubnetEpochIndex";
    TEMPO = "SubtensorModule"."Tempo";
    TOTAL_HOTKEY_ALPHA = "SubtensorModule"."TotalHotkeyAlpha";
    UIDS = "SubtensorModule"."Uids";
    VALIDATOR_PERMIT = "SubtensorModule"."ValidatorPermit";
    VALIDATOR_TRUST = "SubtensorModule"."ValidatorTrust";
    WEIGHTS = "SubtensorModule"."Weights";
    WEIGHTS_SET_RATE_LIMIT = "SubtensorModule"."WeightsSetRateLimit";
    WEIGHTS_VERSION_KEY = "SubtensorModule"."WeightsVersionKey";
}

/// Items of runtimes with a stateful epoch schedule only; older ones run epochs by block number.
pub(crate) const STATEFUL_SCHEDULE: [Item; 3] =
    [LAST_EPOCH_BLOCK, PENDING_EPOCH_AT, SUBNET_EPOCH_INDEX];
