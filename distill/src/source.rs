//! A teacher opened for students: its checkpoint, its tokenizer and the texts that it is asked about.
//!
//! Opening costs a second or two (the corpus is tokenised), so several students of one process share one source.

use athanor_model::{Checkpoint, checkpoint::CheckpointError, tokenizer::TokenizerError};
use thiserror::Error;

use crate::stream::Stream;

/// What students learn from.
pub struct Source {
    /// The teacher, whose weights each trainer loads on its own device.
    pub(crate) checkpoint: Checkpoint,
    /// The digest of the teacher's manifest.
    pub digest: [u8; 32],
    /// The contents of the tokenizer's file, which students carry too.
    pub tokenizer_json: Vec<u8>,
    /// Texts and items to learn from.
    pub training: Stream,
    /// Texts and items that are only ever measured on.
    pub held_out: Stream,
}

/// Why a teacher cannot be learnt from.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The checkpoint does not open.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its tokenizer fails.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Neither its configuration nor its tokenizer names an end-of-sequence token.
    #[error("the teacher names no end-of-sequence token: set eos_token_id in its config.json")]
    NoEnd,
}

impl Source {
    /// Opens a teacher.
    pub fn open(checkpoint: &Checkpoint) -> Result<Source, SourceError> {
        let tokenizer = checkpoint.tokenizer()?;
        let end = checkpoint
            .config
            .eos_token_id
            .or(tokenizer.eos_id())
            .ok_or(SourceError::NoEnd)?;
        Ok(Source {
            checkpoint: checkpoint.clone(),
            digest: checkpoint.digest(),
            tokenizer_json: checkpoint.tokenizer_json()?,
            training: Stream::training(tokenizer.clone(), end)?,
            held_out: Stream::held_out(tokenizer, end)?,
        })
    }
}
