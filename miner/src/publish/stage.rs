//! Checkpoints on their way: prepared, ready, committed.

use athanor_spec::{BlockNumber, Digest, telemetry::HeldOut};
use thiserror::Error;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{CheckpointRefused, canary::CanaryError, rollback::RollbackError, store::Kept};

/// Why a candidate is not served.
#[derive(Debug, Error)]
pub(super) enum CandidateError {
    #[error(transparent)]
    Refused(#[from] CheckpointRefused),
    #[error(transparent)]
    Canary(#[from] CanaryError),
}

impl From<CandidateError> for RollbackError {
    fn from(error: CandidateError) -> Self {
        match error {
            CandidateError::Refused(error) => Self::Refused(error),
            CandidateError::Canary(error) => Self::Trial {
                reason: error.to_string(),
            },
        }
    }
}

/// A candidate that may be served.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) kept: Kept,
    /// How the checkpoint does on held-out items.
    pub(super) heldout: Option<HeldOut>,
}

/// Work on a candidate, and who waits for it.
#[derive(Debug)]
pub(super) struct Preparing {
    pub(super) work: JoinHandle<Result<Prepared, CandidateError>>,
    pub(super) purpose: Purpose,
}

/// What a candidate is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// It was offered.
    Offered,
    /// The own trainer made it, at a step, in a lineage.
    Trained { step: u64, lineage: u32 },
    /// It was served before and is to be served again.
    Rollback {
        reply: oneshot::Sender<Result<Digest, RollbackError>>,
    },
}

/// Checkpoints on their way.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    /// Being verified and tried.
    pub(super) preparing: Option<Preparing>,
    /// Verified and tried, not committed.
    pub(super) ready: Option<Kept>,
    /// Committed, to be served from the given block on.
    pub(super) committed: Option<(Kept, BlockNumber)>,
}

/// The result of the work in progress; never, if there is none.
pub(super) async fn finished(
    preparing: &mut Option<Preparing>,
) -> (Result<Prepared, CandidateError>, Purpose) {
    let result = match preparing {
        Some(Preparing { work, .. }) => work.await,
        None => std::future::pending().await,
    };
    let purpose = preparing.take().map_or(Purpose::Offered, |it| it.purpose);
    match result {
        Ok(result) => (result, purpose),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
