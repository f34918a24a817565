//! Asking a miner that runs on this machine, over a socket in its data directory.
//!
//! One line of JSON each way. The socket may be used by whoever may write to the data directory, and by nobody else.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use athanor_spec::Digest;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

use crate::{
    rollback::{Order, RollbackError},
    status::{Report, Status},
};

/// The longest line, in bytes.
const MAX_LINE: u64 = 64 * 1024;
/// How long an exchange may take: a rollback tries the checkpoint first.
const TIMEOUT: Duration = Duration::from_secs(120);
/// A longer path is none for a socket.
const MAX_PATH: usize = 100;
/// Exchanges at once; one more waits.
const MAX_EXCHANGES: usize = 8;

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
enum Reply {
    Status(Box<Status>),
    RolledBack(Digest),
    Refused(String),
}

/// Why a miner gave no answer.
#[derive(Debug, Error)]
pub enum ControlError {
    /// None runs in this data directory.
    #[error("no miner runs in {}: start it with `athanor-miner run`", data_dir.display())]
    NotRunning {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// The socket cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It did not answer in time.
    #[error("the miner in {} does not answer within {} s: look at its log", data_dir.display(), TIMEOUT.as_secs())]
    Timeout {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// It answered with something else, mostly because it is of another version.
    #[error(
        "the miner answered with what this version does not know ({reason}): restart it with this version"
    )]
    Unknown {
        /// What was wrong.
        reason: String,
    },
    /// It refused.
    #[error("{0}")]
    Refused(String),
}

/// Where a miner with this data directory listens. A path that is too long for a socket is replaced by a short one.
pub(crate) fn socket_path(data_dir: &Path) -> PathBuf {
    let path = data_dir.join("control.sock");
    if path.as_os_str().len() <= MAX_PATH {
        return path;
    }
    let name = Digest::of(path.as_os_str().as_encoded_bytes()).to_string();
    std::env::temp_dir().join(format!("athanor-{}.sock", &name[..32]))
}

/// How the miner in this data directory is.
pub async fn status(data_dir: &Path) -> Result<Status, ControlError> {
    match ask(data_dir, &Question::Status).await? {
        Reply::Status(status) => Ok(*status),
        reply => Err(unexpected(reply)),
    }
}

/// Lets the miner in this data directory go back to an earlier checkpoint; `None` is the one served before. Returns which.
pub async fn rollback(data_dir: &Path, to: Option<Digest>) -> Result<Digest, ControlError> {
    match ask(data_dir, &Question::Rollback { to }).await? {
        Reply::RolledBack(digest) => Ok(digest),
        reply => Err(unexpected(reply)),
    }
}

fn unexpected(reply: Reply) -> ControlError {
    match reply {
        Reply::Refused(reason) => ControlError::Refused(reason),
        _ => ControlError::Unknown {
            reason: "a reply to another question".into(),
        },
    }
}

async fn ask(data_dir: &Path, question: &Question) -> Result<Reply, ControlError> {
    let path = socket_path(data_dir);
    let io = |source| ControlError::Io {
        path: path.clone(),
        source,
    };
    let exchange = async {
        let stream = UnixStream::connect(&path).await.map_err(|source| {
            match source.kind() {
                // A socket that nobody listens on is left by a miner that was killed.
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    ControlError::NotRunning {
                        data_dir: data_dir.to_owned(),
                    }
                }
                _ => io(source),
            }
        })?;
        let (reader, mut writer) = stream.into_split();
        writer.write_all(&line(question)).await.map_err(io)?;
        let mut text = String::new();
        let mut reader = BufReader::new(reader.take(MAX_LINE));
        reader.read_line(&mut text).await.map_err(io)?;
        serde_json::from_str(&text).map_err(|error| ControlError::Unknown {
            reason: error.to_string(),
        })
    };
    let timeout = ControlError::Timeout {
        data_dir: data_dir.to_owned(),
    };
    tokio::time::timeout(TIMEOUT, exchange)
        .await
        .unwrap_or(Err(timeout))
}

fn line<T: Serialize>(value: &T) -> Vec<u8> {
    // These types have no maps with keys that are no strings.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

/// The miner's end of the socket.
#[derive(Debug)]
pub(crate) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Listens. A socket that an earlier process left is replaced: that no other process runs is somebody else's to see to.
    pub(crate) fn listen(data_dir: &Path) -> Result<Self, ControlError> {
        let path = socket_path(data_dir);
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).and_then(|listener| {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
            Ok(listener)
        });
        match listener {
            Ok(listener) => Ok(Self { listener, path }),
            Err(source) => Err(ControlError::Io { path, source }),
        }
    }

    /// Answers until told to stop.
    pub(crate) async fn run(
        self,
        report: Report,
        orders: mpsc::Sender<Order>,
        stop: CancellationToken,
    ) {
        let mut exchanges = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = exchanges.join_next(), if !exchanges.is_empty() => {}
                accepted = self.listener.accept(), if exchanges.len() < MAX_EXCHANGES => {
                    if let Ok((stream, _)) = accepted {
                        let (report, orders) = (report.clone(), orders.clone());
                        exchanges.spawn(async move {
                            let exchange = answer(stream, &report, &orders);
                            match tokio::time::timeout(TIMEOUT, exchange).await {
                                Ok(Ok(())) => {}
                                Ok(Err(error)) => tracing::debug!(%error, "a question was cut off"),
                                Err(_) => tracing::debug!("a question took too long"),
                            }
                        });
                    }
                }
            }
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn answer(
    stream: UnixStream,
    report: &Report,
    orders: &mpsc::Sender<Order>,
) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut text = String::new();
    let mut reader = BufReader::new(reader.take(MAX_LINE));
    reader.read_line(&mut text).await?;
    let reply = match serde_json::from_str(&text) {
        Ok(Question::Status) => Reply::Status(Box::new(report.status())),
        Ok(Question::Rollback { to }) => match order(to, orders).await {
            Ok(digest) => Reply::RolledBack(digest),
            Err(error) => Reply::Refused(error.to_string()),
        },
        Err(error) => Reply::Refused(format!("not a question that this version knows: {error}")),
    };
    writer.write_all(&line(&reply)).await
}

async fn order(to: Option<Digest>, orders: &mpsc::Sender<Order>) -> Result<Digest, RollbackError> {
    let (reply, answer) = oneshot::channel();
    orders
        .send(Order { to, reply })
        .await
        .map_err(|_| RollbackError::Stopped)?;
    answer.await.unwrap_or(Err(RollbackError::Stopped))
}
