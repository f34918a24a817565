//! A teacher opened for students: its checkpoint, its tokenizer and the texts that it is asked about.
//!
//! Opening costs a second or two (the corpus is tokenised), so several students of one process share one source. A teacher
//! that is not at hand is known by what was recorded of it.

use athanor_model::{Checkpoint, checkpoint::CheckpointError, tokenizer::TokenizerError};
use thiserror::Error;

use crate::{
    shard::{Recorded, Shard},
    stream::Stream,
};

/// One of so many recorded examples is held out where the record is all that there is.
const HELD_OUT: usize = 5;

/// What students learn from.
pub struct Source {
    pub(crate) teacher: Teacher,
    /// Number of token ids.
    pub(crate) vocab: usize,
    /// The digest of the teacher's manifest.
    pub digest: [u8; 32],
    /// The contents of the tokenizer's file, which students carry too.
    pub tokenizer_json: Vec<u8>,
    /// Texts and items to learn from.
    pub training: Stream,
    /// Texts and items that are only ever measured on.
    pub held_out: Stream,
}

/// How a teacher can be asked.
pub(crate) enum Teacher {
    /// Each trainer loads its weights on its own device.
    Present(Box<Checkpoint>),
    /// It is known by its record alone, of which these examples are never learnt from.
    Recorded(Vec<Recorded>),
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
    /// The record is in another vocabulary than the student.
    #[error(
        "the shard is in a vocabulary of {shard} tokens, the student in one of {student}: they need one tokenizer"
    )]
    Vocabulary {
        /// Of the record.
        shard: usize,
        /// Of the student.
        student: usize,
    },
    /// The teacher's distributions were recorded at a temperature, so that they are not what it is measured by.
    #[error(
        "the shard was recorded at temperature {0}: without the teacher itself only a record at 1 can be learnt from"
    )]
    Temperature(f32),
    /// There is too little to learn from and to measure on.
    #[error(
        "the shard holds {0} examples: without the teacher itself at least {HELD_OUT} are needed"
    )]
    TooFew(usize),
}

impl Source {
    /// Opens a teacher.
    pub fn open(checkpoint: &Checkpoint) -> Result<Source, SourceError> {
        let teacher = Teacher::Present(Box::new(checkpoint.clone()));
        Source::new(checkpoint, teacher, checkpoint.digest())
    }

    /// A teacher of which only a record is at hand, for students that write as `student` does; and the examples of the
    /// record that are left to learn from.
    pub fn recorded(shard: Shard, student: &Checkpoint) -> Result<(Source, Shard), SourceError> {
        let Shard {
            teacher,
            vocab,
            temperature,
            mut examples,
        } = shard;
        let found = student.config.vocab_size;
        if vocab != found {
            return Err(SourceError::Vocabulary {
                shard: vocab,
                student: found,
            });
        }
        if temperature != 1.0 {
            return Err(SourceError::Temperature(temperature));
        }
        if examples.len() < HELD_OUT {
            return Err(SourceError::TooFew(examples.len()));
        }
        // Their order is random by construction.
        let held_out = examples.split_off(examples.len() - examples.len() / HELD_OUT);
        let rest = Shard {
            teacher,
            vocab,
            temperature,
            examples,
        };
        let source = Source::new(student, Teacher::Recorded(held_out), teacher)?;
        Ok((source, rest))
    }

    fn new(
        speaker: &Checkpoint,
        teacher: Teacher,
        digest: [u8; 32],
    ) -> Result<Source, SourceError> {
        let tokenizer = speaker.tokenizer()?;
        let end = speaker
            .config
            .eos_token_id
            .clone()
            .or(tokenizer.eos_id())
            .first()
            .ok_or(SourceError::NoEnd)?;
        Ok(Source {
            teacher,
            vocab: speaker.config.vocab_size,
            digest,
            tokenizer_json: speaker.tokenizer_json()?,
            training: Stream::training(tokenizer.clone(), end)?,
            held_out: Stream::held_out(tokenizer, end)?,
        })
    }
}
