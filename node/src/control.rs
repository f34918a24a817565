//! Asking a daemon that runs on this machine, over a socket in its data directory.
//!
//! One line of JSON each way; what the questions and answers are is the daemon's own. The socket may be used by whoever may
//! write to the data directory, and by nobody else.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use athanor_spec::Digest;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
};
use tokio_util::sync::CancellationToken;

/// The longest question, in bytes.
const MAX_QUESTION: u64 = 64 * 1024;
/// The longest answer, in bytes: some hundred of each of the 256 slots of a subnet.
const MAX_ANSWER: u64 = 1024 * 1024;
/// How long an exchange may take: what is asked for may try a checkpoint first.
const TIMEOUT: Duration = Duration::from_secs(120);
/// A longer path is none for a socket.
const MAX_PATH: usize = 100;
/// Exchanges at once; one more waits.
const MAX_EXCHANGES: usize = 8;

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply<A> {
    Answer(A),
    Refused(String),
}

/// Why a daemon gave no answer.
#[derive(Debug, Error)]
pub enum ControlError {
    /// None runs in this data directory.
    #[error("no {daemon} runs in {}: start it with `athanor-{daemon} run`", data_dir.display())]
    NotRunning {
        /// `miner` or `validator`.
        daemon: &'static str,
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
    #[error("the {daemon} in {} does not answer within {} s: look at its log", data_dir.display(), TIMEOUT.as_secs())]
    Timeout {
        /// `miner` or `validator`.
        daemon: &'static str,
        /// The data directory.
        data_dir: PathBuf,
    },
    /// It answered with something else, mostly because it is of another version.
    #[error(
        "the {daemon} answered with what this version does not know ({reason}): restart it with this version"
    )]
    Unknown {
        /// `miner` or `validator`.
        daemon: &'static str,
        /// What was wrong.
        reason: String,
    },
    /// It refused.
    #[error("{0}")]
    Refused(String),
}

/// Where a daemon with this data directory listens. A path that is too long for a socket is replaced by a short one.
pub fn socket_path(data_dir: &Path) -> PathBuf {
    let path = data_dir.join("control.sock");
    if path.as_os_str().len() <= MAX_PATH {
        return path;
    }
    let name = Digest::of(path.as_os_str().as_encoded_bytes()).to_string();
    std::env::temp_dir().join(format!("athanor-{}.sock", &name[..32]))
}

/// Asks the daemon of this kind (`miner`, `validator`) in this data directory.
pub async fn ask<Q: Serialize, A: DeserializeOwned>(
    daemon: &'static str,
    data_dir: &Path,
    question: &Q,
) -> Result<A, ControlError> {
    let path = socket_path(data_dir);
    let io = |source| ControlError::Io {
        path: path.clone(),
        source,
    };
    let exchange = async {
        let stream = UnixStream::connect(&path).await.map_err(|source| {
            match source.kind() {
                // A socket that nobody listens on is left by a daemon that was killed.
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    ControlError::NotRunning {
                        daemon,
                        data_dir: data_dir.to_owned(),
                    }
                }
                _ => io(source),
            }
        })?;
        let (reader, mut writer) = stream.into_split();
        writer.write_all(&line(question)).await.map_err(io)?;
        let mut text = String::new();
        let mut reader = BufReader::new(reader.take(MAX_ANSWER));
        reader.read_line(&mut text).await.map_err(io)?;
        match serde_json::from_str(&text) {
            Ok(Reply::Answer(answer)) => Ok(answer),
            Ok(Reply::Refused(reason)) => Err(ControlError::Refused(reason)),
            Err(error) => Err(ControlError::Unknown {
                daemon,
                reason: error.to_string(),
            }),
        }
    };
    let timeout = ControlError::Timeout {
        daemon,
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

/// The daemon's end of the socket.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Listens. A socket that an earlier process left is replaced: that no other process runs is somebody else's to see to.
    pub fn listen(data_dir: &Path) -> Result<Self, ControlError> {
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

    /// Answers until told to stop. `answer` gives the answer to a question, or in words why there is none.
    pub async fn run<Q, A, F>(
        self,
        answer: impl Fn(Q) -> F + Clone + Send + 'static,
        stop: CancellationToken,
    ) where
        Q: DeserializeOwned + Send,
        A: Serialize + Send,
        F: Future<Output = Result<A, String>> + Send,
    {
        let mut exchanges = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = exchanges.join_next(), if !exchanges.is_empty() => {}
                accepted = self.listener.accept(), if exchanges.len() < MAX_EXCHANGES => {
                    if let Ok((stream, _)) = accepted {
                        let answer = answer.clone();
                        exchanges.spawn(async move {
                            let exchange = exchange(stream, answer);
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

async fn exchange<Q, A, F>(stream: UnixStream, answer: impl Fn(Q) -> F) -> io::Result<()>
where
    Q: DeserializeOwned,
    A: Serialize,
    F: Future<Output = Result<A, String>>,
{
    let (reader, mut writer) = stream.into_split();
    let mut text = String::new();
    let mut reader = BufReader::new(reader.take(MAX_QUESTION));
    reader.read_line(&mut text).await?;
    let reply = match serde_json::from_str(&text) {
        Ok(question) => match answer(question).await {
            Ok(answer) => Reply::Answer(answer),
            Err(reason) => Reply::Refused(reason),
        },
        Err(error) => Reply::Refused(format!("not a question that this version knows: {error}")),
    };
    writer.write_all(&line(&reply)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Question {
        Double(u32),
    }

    /// Newer by one question.
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Newer {
        Halve(u32),
    }

    async fn double(question: Question) -> Result<u32, String> {
        let Question::Double(number) = question;
        number
            .checked_mul(2)
            .ok_or_else(|| "that is too much".to_owned())
    }

    #[tokio::test]
    async fn a_daemon_answers_refuses_and_is_gone_when_it_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let stop = CancellationToken::new();
        let control = Control::listen(folder.path()).unwrap();
        let running = tokio::spawn(control.run(double, stop.clone()));
        let doubled =
            async |number| ask::<_, u32>("miner", folder.path(), &Question::Double(number)).await;
        assert_eq!(doubled(21).await.unwrap(), 42);
        let refused = doubled(u32::MAX).await.unwrap_err();
        assert_eq!(refused.to_string(), "that is too much");
        let unknown = ask::<_, u32>("miner", folder.path(), &Newer::Halve(2)).await;
        let unknown = unknown.unwrap_err().to_string();
        assert!(unknown.contains("this version knows"), "{unknown}");
        stop.cancel();
        running.await.unwrap();
        let gone = doubled(1).await.unwrap_err().to_string();
        assert!(gone.contains("no miner runs"), "{gone}");
        assert!(gone.contains("`athanor-miner run`"), "{gone}");
    }

    #[tokio::test]
    async fn a_socket_that_a_killed_daemon_left_is_nobody_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        drop(Control::listen(folder.path()).unwrap());
        let asked = ask::<_, u32>("validator", folder.path(), &Question::Double(1)).await;
        assert!(matches!(asked, Err(ControlError::NotRunning { .. })));
        let stop = CancellationToken::new();
        let control = Control::listen(folder.path()).unwrap();
        let running = tokio::spawn(control.run(double, stop.clone()));
        let asked = ask::<_, u32>("validator", folder.path(), &Question::Double(1)).await;
        assert_eq!(asked.unwrap(), 2);
        stop.cancel();
        running.await.unwrap();
    }
}
