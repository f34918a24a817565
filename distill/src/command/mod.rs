//! One file per subcommand.

pub(crate) mod delta;
pub(crate) mod eval;
pub(crate) mod generate;
pub(crate) mod import;
mod log;
pub(crate) mod logits;
pub(crate) mod record;
pub(crate) mod teacher;
pub(crate) mod train;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use athanor_distill::{
    bundled::BundledError,
    endpoint::EndpointError,
    evaluation::EvaluationError,
    init::StudentError,
    shard::{RecordError, ShardError},
    source::SourceError,
    teacher::TeacherError,
    trainer::TrainerError,
    worker::WorkerError,
};
use athanor_model::{
    DeviceError,
    checkpoint::{Checkpoint, CheckpointError, ImportError, delta::DeltaError},
    huggingface::OpenError,
    scorer::{LoadError, ScoreError},
    tensors::TensorsError,
    text::{ConversationError, TemplateError},
    tokenizer::TokenizerError,
};
use thiserror::Error;

/// Why a subcommand ended early. Each prints as one line that says what to do next where that is not plain.
#[derive(Debug, Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Teacher(#[from] TeacherError),
    #[error("{}: {source}; give a directory with config.json, model.safetensors, tokenizer.json and manifest.json", dir.display())]
    Open {
        dir: PathBuf,
        source: CheckpointError,
    },
    #[error("cannot write the student: {0}")]
    WriteStudent(#[from] CheckpointError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Bundled(#[from] BundledError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Student(#[from] StudentError),
    #[error(transparent)]
    Worker(#[from] WorkerError),
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    #[error("invalid settings: {0}")]
    Settings(#[from] TrainerError),
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Shard { path: PathBuf, source: ShardError },
    #[error("{}: not recorded from the teacher of {}, or not in the same way: learn from one of them", path.display(), first.display())]
    OtherShard { path: PathBuf, first: PathBuf },
    #[error(
        "learning from a record alone needs a student: give --student DIR, or the teacher's directory with --teacher"
    )]
    NoStudent,
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Model(#[from] OpenError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Score(#[from] ScoreError),
    #[error(transparent)]
    Tensors(#[from] TensorsError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Delta(#[from] DeltaError),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Conversation(#[from] ConversationError),
    #[error("{} has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json): leave --chat out to continue a text", dir.display())]
    NoTemplate { dir: PathBuf },
    #[error(
        "the prompt has {tokens} tokens; the model needs at least one, and takes {context} with its answer"
    )]
    Prompt { tokens: usize, context: usize },
    #[error("cannot read standard input: {0}")]
    Input(#[source] io::Error),
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
    #[error("--{flag} {value} makes no sense: {expected}")]
    Flag {
        flag: &'static str,
        value: String,
        expected: &'static str,
    },
}

/// Opens the checkpoint that was named on the command line.
fn open(dir: &Path) -> Result<Checkpoint, CommandError> {
    Checkpoint::open(dir).map_err(|source| CommandError::Open {
        dir: dir.to_owned(),
        source,
    })
}

/// Prints a line; a reader that has gone away is an error like any other, not a panic.
fn print(line: impl std::fmt::Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}
