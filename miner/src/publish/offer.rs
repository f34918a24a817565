//! Checkpoints that are offered to be served.

use std::{path::PathBuf, sync::Arc};

use athanor_model::Checkpoint;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::canary::Trial;

/// Candidates that may wait; only the newest matters, so a full queue is a reason to drop one.
const CANDIDATES: usize = 4;

/// Offers checkpoints to a running miner. Clones offer to the same one.
#[derive(Clone, Debug)]
pub struct Publisher {
    candidates: mpsc::Sender<Candidate>,
}

/// A checkpoint that may come to be served.
pub(crate) struct Candidate {
    /// Where it lies.
    pub(crate) dir: PathBuf,
    /// Where it comes from, when it is the own trainer's.
    pub(crate) trained: Option<Trained>,
}

/// A checkpoint's place in training.
#[derive(Clone)]
pub(crate) struct Trained {
    /// The trainer's step.
    pub(crate) step: u64,
    /// Its held-out items.
    pub(crate) trial: Arc<Trial>,
    /// How many times training was begun anew before: a rollback must not be undone by what was trained before it.
    pub(crate) lineage: u32,
}

/// An order to train on from another checkpoint.
pub(crate) struct Retrain {
    pub(crate) student: Checkpoint,
    pub(crate) lineage: u32,
}

/// Why a checkpoint was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PublishError {
    /// Others wait already.
    #[error("other checkpoints wait to be published: offer the newest one later")]
    Busy,
    /// The miner has ended.
    #[error("the miner has ended")]
    Stopped,
}

impl Publisher {
    /// A publisher and the queue that the follower reads.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Candidate>) {
        let (candidates, queue) = mpsc::channel(CANDIDATES);
        (Self { candidates }, queue)
    }

    /// Offers the checkpoint in a directory, which is copied: it may change or go once the miner has verified it. Never
    /// waits; whether the checkpoint came to be served is told by the feed's `Swapped`.
    pub fn offer(&self, dir: PathBuf) -> Result<(), PublishError> {
        let candidate = Candidate { dir, trained: None };
        self.candidates
            .try_send(candidate)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => PublishError::Busy,
                mpsc::error::TrySendError::Closed(_) => PublishError::Stopped,
            })
    }

    pub(crate) fn queue(&self) -> mpsc::Sender<Candidate> {
        self.candidates.clone()
    }
}
