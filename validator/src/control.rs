//! Asking a validator that runs on this machine: how it is, and what it holds of a miner.

use std::{path::Path, sync::Arc};

use athanor_node::control::{self, Control, ControlError};
use athanor_spec::{Account, BlockNumber, Hotkey, SubnetSpec};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    archive::Archive,
    book::Book,
    explain::{self, ExplainError, Held},
    export::{self, Row},
    status::{Board, Status},
};

/// What the errors call it.
const DAEMON: &str = "validator";

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Question {
    Status,
    Explain {
        hotkey: Hotkey,
        registered_at: Option<BlockNumber>,
    },
    Export,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Status(Box<Status>),
    Held(Option<Box<Held>>),
    Rows(Vec<Row>),
}

/// How the validator in this data directory is.
pub async fn status(data_dir: &Path) -> Result<Status, ControlError> {
    match control::ask(DAEMON, data_dir, &Question::Status).await? {
        Answer::Status(status) => Ok(*status),
        _ => Err(unexpected()),
    }
}

/// What the validator in this data directory holds of a hotkey, in this registration or its latest.
pub async fn explain(
    data_dir: &Path,
    hotkey: Hotkey,
    registered_at: Option<BlockNumber>,
) -> Result<Option<Held>, ControlError> {
    let question = Question::Explain {
        hotkey,
        registered_at,
    };
    match control::ask(DAEMON, data_dir, &question).await? {
        Answer::Held(held) => Ok(held.map(|held| *held)),
        _ => Err(unexpected()),
    }
}

/// The ledger of the validator in this data directory.
pub async fn export(data_dir: &Path) -> Result<Vec<Row>, ControlError> {
    match control::ask(DAEMON, data_dir, &Question::Export).await? {
        Answer::Rows(rows) => Ok(rows),
        _ => Err(unexpected()),
    }
}

fn unexpected() -> ControlError {
    ControlError::Unknown {
        daemon: DAEMON,
        reason: "an answer to another question".into(),
    }
}

/// What questions are answered from.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) board: Board,
    pub(crate) book: Arc<Book>,
    pub(crate) archive: Archive,
    pub(crate) spec: Arc<SubnetSpec>,
}

/// Answers until told to stop.
pub(crate) async fn run(control: Control, desk: Desk, stop: CancellationToken) {
    let answer = move |question| {
        let desk = desk.clone();
        async move {
            if question == Question::Status {
                return Ok(Answer::Status(Box::new(desk.board.status())));
            }
            // The ledger and the transcripts lie on a disk.
            let read = tokio::task::spawn_blocking(move || desk.read(question));
            match read.await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => Err(error.to_string()),
                Err(error) => Err(error.to_string()),
            }
        }
    };
    control.run(answer, stop).await;
}

impl Desk {
    fn read(&self, question: Question) -> Result<Answer, ExplainError> {
        match question {
            Question::Status => Ok(Answer::Status(Box::new(self.board.status()))),
            Question::Explain {
                hotkey,
                registered_at,
            } => {
                let held = held(&self.book, &self.archive, &self.spec, hotkey, registered_at)?;
                Ok(Answer::Held(held.map(Box::new)))
            }
            Question::Export => Ok(Answer::Rows(export::rows(&self.book, &self.spec)?)),
        }
    }
}

/// What a ledger holds of a hotkey in this registration, or its latest; `None` if it knows none.
pub fn held(
    book: &Book,
    archive: &Archive,
    spec: &SubnetSpec,
    hotkey: Hotkey,
    registered_at: Option<BlockNumber>,
) -> Result<Option<Held>, ExplainError> {
    let account = match registered_at {
        Some(registered_at) => Some(Account {
            hotkey,
            registered_at,
        }),
        None => explain::account_of(book, &hotkey)?,
    };
    account
        .map(|account| explain::held(book, archive, spec, account))
        .transpose()
}
