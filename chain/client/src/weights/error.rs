//! Why weights were not set, each with what to do about it.

use athanor_spec::{BlockNumber, Hotkey, NetUid, Rao, Uid};
use thiserror::Error;

use super::{JournalError, Sent, standing::Standing};
use crate::{ReadError, SubmitError, timelock::SealError};

/// Why weights were not set.
#[derive(Debug, Error)]
pub enum SetWeightsError {
    /// This epoch has this validator's weights already; nothing was sent.
    #[error(
        "weights were set in block {block}, in the running epoch: the next ones are due in the next epoch"
    )]
    AlreadySet {
        /// The block in which they were set.
        block: BlockNumber,
    },
    /// The hotkey holds no slot.
    #[error("{hotkey} is not registered on subnet {netuid}: register it first")]
    NotRegistered {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// The hotkey is no validator.
    #[error(
        "{hotkey} has no validator permit on subnet {netuid}: it needs to be among the largest stakes; \
         stake more and wait for the next epoch"
    )]
    NoPermit {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// The chain's rate limit has not passed yet.
    #[error(
        "the chain takes this validator's next weights in {wait_blocks} blocks at the earliest"
    )]
    TooFast {
        /// Blocks to wait.
        wait_blocks: u64,
    },
    /// The stake is below the chain's threshold.
    #[error(
        "{hotkey} has less stake on subnet {netuid} than the {threshold} TAO that the chain asks of one that sets weights: \
         stake more"
    )]
    StakeTooLow {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// What the chain asks for.
        threshold: Rao,
    },
    /// The subnet asks for a newer validator.
    #[error(
        "subnet {netuid} takes weights from version {chain} on, this node has version {ours}: update it"
    )]
    OldVersion {
        /// The subnet.
        netuid: NetUid,
        /// The subnet's version key.
        chain: u64,
        /// The version key that was given.
        ours: u64,
    },
    /// The subnet takes hidden weights only.
    #[error(
        "subnet {netuid} has commit-reveal on, and these weights were to be set in the open: commit them instead"
    )]
    CommitReveal {
        /// The subnet.
        netuid: NetUid,
    },
    /// The row is too short.
    #[error(
        "subnet {netuid} takes rows of at least {least} weights, this one has {len}: give more miners a weight"
    )]
    TooFewWeights {
        /// The subnet.
        netuid: NetUid,
        /// Number of weights.
        len: usize,
        /// The subnet's least number.
        least: u16,
    },
    /// One neuron gets too much.
    #[error(
        "subnet {netuid} gives one neuron at most {limit} of 65535, and uid {uid} gets more: spread the weights"
    )]
    TooLargeWeight {
        /// The subnet.
        netuid: NetUid,
        /// The neuron.
        uid: Uid,
        /// The largest share, of 65535.
        limit: u16,
    },
    /// Too many commits wait for their reveal.
    #[error(
        "ten commits of {hotkey} on subnet {netuid} wait for their reveal, and the chain takes no more: wait for the next epoch"
    )]
    TooManyCommits {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// Weights that are hidden on this subnet would never be shown.
    #[error(
        "subnet {netuid} runs no epochs (its tempo is 0), so hidden weights would never be revealed"
    )]
    NoEpochs {
        /// The subnet.
        netuid: NetUid,
    },
    /// The chain knows no such commit, or not any more.
    #[error(
        "subnet {netuid} does not take this reveal ({reason}): its time has passed, or the commit was never included"
    )]
    CannotReveal {
        /// The subnet.
        netuid: NetUid,
        /// The runtime's name of the refusal.
        reason: String,
    },
    /// The weights cannot be hidden.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The salt of a commit cannot be kept; nothing was sent.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A UID is named twice.
    #[error("uid {uid} is given twice")]
    DuplicateUid {
        /// The UID.
        uid: Uid,
    },
    /// A UID has no neuron.
    #[error(
        "uid {uid} is not taken: subnet {netuid} has {neurons} neurons; read the metagraph again"
    )]
    UnknownUid {
        /// The UID.
        uid: Uid,
        /// The subnet.
        netuid: NetUid,
        /// Slots taken.
        neurons: u16,
    },
    /// The subnet's bounds on a row of weights are broken.
    #[error(
        "subnet {netuid} does not take this row of {len} weights ({reason}): check min_allowed_weights and max_weights_limit"
    )]
    BadRow {
        /// The subnet.
        netuid: NetUid,
        /// Number of weights.
        len: usize,
        /// The runtime's name of the refusal.
        reason: String,
    },
    /// The chain accepted the weights and holds others.
    #[error(
        "block {block} includes the weights, yet the chain holds others: another process sets weights with this key"
    )]
    NotStored {
        /// The block that includes the extrinsic.
        block: BlockNumber,
    },
    /// Anything that does not depend on the call.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl SetWeightsError {
    /// A name for counting, the same for all errors of a kind.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AlreadySet { .. } => "already_set",
            Self::NotRegistered { .. } => "not_registered",
            Self::NoPermit { .. } => "no_permit",
            Self::TooFast { .. } => "too_fast",
            Self::StakeTooLow { .. } => "stake_too_low",
            Self::OldVersion { .. } => "old_version",
            Self::CommitReveal { .. } => "commit_reveal",
            Self::TooFewWeights { .. } => "too_few_weights",
            Self::TooLargeWeight { .. } => "too_large_weight",
            Self::TooManyCommits { .. } => "too_many_commits",
            Self::NoEpochs { .. } => "no_epochs",
            Self::CannotReveal { .. } => "cannot_reveal",
            Self::Seal(_) => "cannot_seal",
            Self::Journal(_) => "journal",
            Self::DuplicateUid { .. } => "duplicate_uid",
            Self::UnknownUid { .. } => "unknown_uid",
            Self::BadRow { .. } => "bad_row",
            Self::NotStored { .. } => "not_stored",
            Self::Submit(error) => error.name(),
        }
    }
}

impl From<ReadError> for SetWeightsError {
    fn from(error: ReadError) -> Self {
        Self::Submit(error.into())
    }
}

/// The runtime's refusal in our words.
pub(super) fn refused(error: SubmitError, standing: &Standing, sent: &Sent<'_>) -> SetWeightsError {
    let (hotkey, netuid) = (standing.hotkey, standing.netuid);
    match error.refusal() {
        Some("HotKeyNotRegisteredInSubNet" | "HotKeyNotRegisteredInNetwork" | "UidNotFound") => {
            SetWeightsError::NotRegistered { hotkey, netuid }
        }
        Some("NeuronNoValidatorPermit") => SetWeightsError::NoPermit { hotkey, netuid },
        Some("SettingWeightsTooFast" | "CommittingWeightsTooFast") => {
            SetWeightsError::TooFast { wait_blocks: 1 }
        }
        Some("NotEnoughStakeToSetWeights" | "AmountTooLow") => SetWeightsError::StakeTooLow {
            hotkey,
            netuid,
            threshold: standing.stake_threshold,
        },
        Some("TooManyUnrevealedCommits") => SetWeightsError::TooManyCommits { hotkey, netuid },
        Some(
            reason @ ("NoWeightsCommitFound"
            | "InvalidRevealCommitHashNotMatch"
            | "ExpiredWeightCommit"
            | "RevealTooEarly"),
        ) => SetWeightsError::CannotReveal {
            netuid,
            reason: reason.to_owned(),
        },
        Some("IncorrectWeightVersionKey") => SetWeightsError::OldVersion {
            netuid,
            chain: sent.version_key.saturating_add(1),
            ours: sent.version_key,
        },
        Some("CommitRevealEnabled") => SetWeightsError::CommitReveal { netuid },
        Some(
            reason @ ("WeightVecLengthIsLow"
            | "MaxWeightExceeded"
            | "UidsLengthExceedUidsInSubNet"
            | "UidVecContainInvalidOne"),
        ) => SetWeightsError::BadRow {
            netuid,
            len: sent.weights.len(),
            reason: reason.to_owned(),
        },
        _ => error.into(),
    }
}
