//! What rate limits are kept for.

use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;
use sp_runtime::AccountId32;

use super::NetUid;

/// A hyperparameter that a subnet's owner may change only every few epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[allow(missing_docs)]
pub enum Hyperparameter {
    Unknown = 0,
    ServingRateLimit = 1,
    MaxDifficulty = 2,
    AdjustmentAlpha = 3,
    MaxWeightLimit = 4,
    ImmunityPeriod = 5,
    MinAllowedWeights = 6,
    Kappa = 7,
    Rho = 8,
    ActivityCutoff = 9,
    PowRegistrationAllowed = 10,
    MinBurn = 11,
    MaxBurn = 12,
    BondsMovingAverage = 13,
    BondsPenalty = 14,
    CommitRevealEnabled = 15,
    LiquidAlphaEnabled = 16,
    AlphaValues = 17,
    WeightCommitInterval = 18,
    TransferEnabled = 19,
    AlphaSigmoidSteepness = 20,
    Yuma3Enabled = 21,
    BondsResetEnabled = 22,
    ImmuneNeuronLimit = 23,
    RecycleOrBurn = 24,
    MaxAllowedUids = 25,
    BurnHalfLife = 26,
    BurnIncreaseMult = 27,
    SubnetEmissionEnabled = 28,
    MinChildkeyTake = 29,
    ActivityCutoffFactorMilli = 30,
    TriggerEpoch = 31,
}

/// What was done last in a block that is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum RateLimitKey {
    /// The owner's hotkey of a subnet was changed.
    #[codec(index = 0)]
    SetSNOwnerHotkey(NetUid),
    /// A subnet's owner changed a hyperparameter.
    #[codec(index = 1)]
    OwnerHyperparamUpdate(NetUid, Hyperparameter),
    /// A subnet was registered.
    #[codec(index = 2)]
    NetworkLastRegistered,
    /// An account exchanged keys.
    #[codec(index = 3)]
    LastTxBlock(AccountId32),
    /// A hotkey changed its take as a child.
    #[codec(index = 4)]
    LastTxBlockChildKeyTake(AccountId32),
    /// A hotkey changed its take.
    #[codec(index = 5)]
    LastTxBlockDelegateTake(AccountId32),
}

impl RateLimitKey {
    /// The subnet on which the act was, if it was on one.
    pub(crate) fn netuid(&self) -> Option<NetUid> {
        match self {
            Self::SetSNOwnerHotkey(netuid) | Self::OwnerHyperparamUpdate(netuid, _) => {
                Some(*netuid)
            }
            _ => None,
        }
    }
}
