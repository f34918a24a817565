//! Accusations that a record holds.

use athanor_spec::telemetry::FaultSummary;
use codec::{Decode, Encode};

/// What a miner is accused of. A faulty miner is paid nothing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Fault {
    /// The kind.
    pub kind: FaultKind,
    /// What shows it, in words and numbers; cut to 512 bytes in a record.
    pub evidence: String,
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum FaultKind {
    /// The answers were not sampled from the committed checkpoint.
    #[codec(index = 0)]
    WrongCheckpoint,
    /// Another hotkey committed the same artifact earlier, or a model that it is a copy of in function.
    #[codec(index = 1)]
    Copy,
    /// Loops or empty answers.
    #[codec(index = 2)]
    Degenerate,
    /// The artifact cannot be fetched, is too large, or is not what its digest and manifest say.
    #[codec(index = 3)]
    BadArtifact,
    /// Nothing is committed on chain.
    #[codec(index = 4)]
    NoCommitment,
    /// An answer to another request, from another checkpoint than committed, or out of the protocol's bounds.
    #[codec(index = 5)]
    BadAnswer,
}

impl FaultKind {
    /// Stable name, as telemetry shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::WrongCheckpoint => "wrong_checkpoint",
            Self::Copy => "copy",
            Self::Degenerate => "degenerate",
            Self::BadArtifact => "bad_artifact",
            Self::NoCommitment => "no_commitment",
            Self::BadAnswer => "bad_answer",
        }
    }
}

impl Fault {
    /// Longest evidence in a record, in bytes.
    pub const MAX_EVIDENCE_BYTES: usize = 512;

    pub(super) fn bounded(mut self) -> Self {
        let mut end = self.evidence.len().min(Self::MAX_EVIDENCE_BYTES);
        while !self.evidence.is_char_boundary(end) {
            end -= 1;
        }
        self.evidence.truncate(end);
        self
    }
}

impl From<Fault> for FaultSummary {
    fn from(fault: Fault) -> Self {
        Self {
            kind: fault.kind.name().to_owned(),
            evidence: fault.evidence,
        }
    }
}
