//! Why a committed checkpoint is not at hand, and whose fault that is.

use std::{path::PathBuf, time::Duration};

use athanor_model::checkpoint::{CheckpointError, ManifestError};
use athanor_net::FetchError;
use athanor_spec::Digest;
use thiserror::Error;

/// Why a committed checkpoint is not at hand.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The transfer failed or did not verify.
    #[error("the transfer failed: {0}")]
    Fetch(#[from] FetchError),
    /// It comes too slowly, while other peers' came fast enough.
    #[error(
        "{bytes} bytes did not come within {} s, as they do at the {rate} bytes per second that the spec asks for, while other \
         miners' did",
        allowed.as_secs()
    )]
    TooSlow {
        /// What was to come.
        bytes: u64,
        /// The time that it had.
        allowed: Duration,
        /// `limits.min_artifact_bytes_per_second`.
        rate: u64,
    },
    /// It comes too slowly, and nobody else's came faster: this validator's line may be the cause.
    #[error(
        "{bytes} bytes did not come within {} s, and this validator's own line may be the cause: nobody else's came faster",
        allowed.as_secs()
    )]
    SlowLine {
        /// What was to come.
        bytes: u64,
        /// The time that it had.
        allowed: Duration,
    },
    /// The manifest has the committed digest but is not a manifest.
    #[error("the manifest is not valid: {0}")]
    Manifest(#[from] ManifestError),
    /// The files together break the spec's bound.
    #[error("the checkpoint has {bytes} bytes, the spec allows {limit}")]
    TooLarge {
        /// Announced size.
        bytes: u64,
        /// `limits.max_artifact_bytes`.
        limit: u64,
    },
    /// The tokenizer is another than the teacher's. It is told by its hash and never parsed.
    #[error("tokenizer.json is {}, the subnet's is {}: use the teacher's file as it is", found.short(), expected.short())]
    Tokenizer {
        /// Of the checkpoint.
        found: Digest,
        /// Of the teacher.
        expected: Digest,
    },
    /// The files verify but are not a checkpoint that can be run.
    #[error("the checkpoint cannot be loaded: {0}")]
    Open(#[from] CheckpointError),
    /// The model does not speak the subnet's vocabulary.
    #[error("the checkpoint's vocabulary has {found} tokens, the subnet's {expected}")]
    Vocabulary {
        /// Of the checkpoint.
        found: usize,
        /// Of the subnet.
        expected: usize,
    },
    /// Prompt and answer at the spec's bounds do not fit the model.
    #[error("the checkpoint's context has {found} tokens, the spec asks for {expected}")]
    Context {
        /// Of the checkpoint.
        found: usize,
        /// Bounds of prompt and answer together.
        expected: usize,
    },
    /// Opening it made this program panic: a defect of ours, whatever is in the files.
    #[error("looking at the checkpoint failed: this is a defect of the validator, please report it with the digest {}", digest.short())]
    Panicked {
        /// The checkpoint.
        digest: Digest,
    },
    /// The local disk failed.
    #[error("the artifact cache failed at {}: {source}", path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
}

impl ArtifactError {
    /// Whether the miner is to blame: what it committed to can never be used, or is given too slowly. Everything else is
    /// neutral, and unpaid.
    pub fn is_miners_fault(&self) -> bool {
        match self {
            Self::TooSlow { .. }
            | Self::Manifest(_)
            | Self::TooLarge { .. }
            | Self::Tokenizer { .. }
            | Self::Vocabulary { .. }
            | Self::Context { .. } => true,
            // Files that verify and then cannot be read are this machine's trouble.
            Self::Open(CheckpointError::Io { .. }) => false,
            Self::Open(_) => true,
            Self::Fetch(FetchError::BadSlice { .. } | FetchError::TooLarge { .. }) => true,
            Self::Fetch(_) | Self::SlowLine { .. } | Self::Panicked { .. } | Self::Disk { .. } => {
                false
            }
        }
    }

    /// Whether it would come out the same, however often it is tried.
    pub fn is_final(&self) -> bool {
        self.is_miners_fault() && !matches!(self, Self::TooSlow { .. })
    }
}
