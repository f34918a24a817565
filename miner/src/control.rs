//! Asking a miner that runs on this machine: how it is, and to go back to an earlier checkpoint.

use std::path::Path;

use athanor_node::control::{self, Control};
use athanor_spec::Digest;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub use athanor_node::control::ControlError;

use crate::{
    rollback::{Order, RollbackError},
    status::{Report, Status},
};

/// What the errors call it.
const DAEMON: &str = "miner";

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Question {
    Status,
    Rollback { to: Option<Digest> },
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Status(Box<Status>),
    RolledBack(Digest),
}

/// How the miner in this data directory is.
pub async fn status(data_dir: &Path) -> Result<Status, ControlError> {
    match control::ask(DAEMON, data_dir, &Question::Status).await? {
        Answer::Status(status) => Ok(*status),
        Answer::RolledBack(_) => Err(unexpected()),
    }
}

/// Lets the miner in this data directory go back to an earlier checkpoint; `None` is the one served before. Returns which.
pub async fn rollback(data_dir: &Path, to: Option<Digest>) -> Result<Digest, ControlError> {
    match control::ask(DAEMON, data_dir, &Question::Rollback { to }).await? {
        Answer::RolledBack(digest) => Ok(digest),
        Answer::Status(_) => Err(unexpected()),
    }
}

fn unexpected() -> ControlError {
    ControlError::Unknown {
        daemon: DAEMON,
        reason: "an answer to another question".into(),
    }
}

/// Answers until told to stop.
pub(crate) async fn run(
    control: Control,
    report: Report,
    orders: mpsc::Sender<Order>,
    stop: CancellationToken,
) {
    let answer = move |question| {
        let (report, orders) = (report.clone(), orders.clone());
        async move {
            match question {
                Question::Status => Ok(Answer::Status(Box::new(report.status()))),
                Question::Rollback { to } => order(to, &orders)
                    .await
                    .map(Answer::RolledBack)
                    .map_err(|error| error.to_string()),
            }
        }
    };
    control.run(answer, stop).await;
}

async fn order(to: Option<Digest>, orders: &mpsc::Sender<Order>) -> Result<Digest, RollbackError> {
    let (reply, answer) = oneshot::channel();
    orders
        .send(Order { to, reply })
        .await
        .map_err(|_| RollbackError::Stopped)?;
    answer.await.unwrap_or(Err(RollbackError::Stopped))
}
