//! Why an attack could not be played.

use std::{io, path::PathBuf};

use athanor_chain::{BlocksError, CommitError, JournalError, ReadError, RegisterError, ServeError};
use athanor_model::{
    checkpoint::{CheckpointError, ManifestError},
    engine::LoadError,
    tensors::TensorsError,
};
use thiserror::Error;

/// Why an attack could not be played. What validators make of it is no error but its outcome.
#[derive(Debug, Error)]
pub enum AttackError {
    /// A model cannot be made or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A student cannot be cut out of the teacher.
    #[error(transparent)]
    Student(#[from] athanor_distill::init::StudentError),
    /// A manifest cannot be made.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Tensors cannot be read.
    #[error(transparent)]
    Tensors(#[from] TensorsError),
    /// A file of a forged checkpoint cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A file that every checkpoint has is not among those to forge.
    #[error("the student has no {name}")]
    NoFile {
        /// Its name.
        name: &'static str,
    },
    /// A tokenizer cannot be forged.
    #[error("the student's tokenizer is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A configuration cannot be forged.
    #[error(transparent)]
    Config(#[from] athanor_model::config::ConfigError),
    /// The validator does not start.
    #[error(transparent)]
    Validator(#[from] Box<athanor_validator::StartError>),
    /// A model does not load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The miner does not start.
    #[error(transparent)]
    Miner(#[from] Box<athanor_miner::StartError>),
    /// A node that is none of the product's does not start.
    #[error(transparent)]
    Net(#[from] athanor_net::StartError),
    /// Blobs cannot be served.
    #[error(transparent)]
    Blobs(#[from] athanor_net::AddBlobError),
    /// A peer that breaks the protocol does not listen.
    #[error("cannot listen: {reason}")]
    Listen {
        /// What libp2p said.
        reason: String,
    },
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The chain's blocks ended.
    #[error(transparent)]
    Blocks(#[from] BlocksError),
    /// A commitment was not taken.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// An address was not taken.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A registration was not taken.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The journal of committed weights cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A background task panicked.
    #[error("a background task panicked: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

impl From<athanor_validator::StartError> for AttackError {
    fn from(error: athanor_validator::StartError) -> Self {
        Self::Validator(Box::new(error))
    }
}

impl From<athanor_miner::StartError> for AttackError {
    fn from(error: athanor_miner::StartError) -> Self {
        Self::Miner(Box::new(error))
    }
}
