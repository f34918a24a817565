//! The daemons' events: from a channel in this process, or from the end of a growing file of JSON lines.

use std::{
    io::{self, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use athanor_spec::telemetry::Event;
use thiserror::Error;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
    sync::{
        broadcast::{self, error::RecvError},
        mpsc,
    },
    time::sleep,
};

use crate::state::Update;

/// Part of a long file that is read at the start: some thousands of events, which is more than is shown.
const REPLAY_BYTES: u64 = 4 << 20;
/// A line that is longer is not ours, and is skipped.
const MAX_LINE: usize = 1 << 20;
/// How often a file is looked at for more.
const POLL: Duration = Duration::from_millis(200);
/// Bytes read at a time.
const CHUNK: usize = 64 << 10;

/// The events file cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the events file {}: {source}", path.display())]
pub struct ReadEventsError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Passes the events of this process on until its sender or the receiver is gone.
pub(super) async fn relay(mut events: broadcast::Receiver<Event>, updates: mpsc::Sender<Update>) {
    loop {
        let update = match events.recv().await {
            Ok(event) => Update::Event(event),
            Err(RecvError::Lagged(missed)) => Update::EventsTrouble {
                reason: format!("{missed} events came too fast and are not shown"),
            },
            Err(RecvError::Closed) => return,
        };
        if updates.send(update).await.is_err() {
            return;
        }
    }
}

/// The events that a file holds now, and how many of its lines are none.
pub async fn read_events(path: &Path) -> Result<(Vec<Event>, usize), ReadEventsError> {
    let mut follower = Follower::new(path.to_owned());
    let (mut events, mut bad) = (Vec::new(), 0);
    loop {
        let lines = follower.more().await.map_err(|source| ReadEventsError {
            path: path.to_owned(),
            source,
        })?;
        if lines.is_empty() && follower.at_end {
            return Ok((events, bad));
        }
        for line in lines {
            match serde_json::from_slice(&line) {
                Ok(event) => events.push(event),
                Err(_) => bad += 1,
            }
        }
    }
}

/// Passes the events of a growing file on until the receiver is gone.
pub(super) async fn tail(path: PathBuf, updates: mpsc::Sender<Update>) {
    let mut follower = Follower::new(path.clone());
    let mut trouble = false;
    loop {
        let found = match follower.more().await {
            Ok(lines) => {
                trouble = false;
                lines.iter().map(|line| parse(line)).collect()
            }
            // Said once, not at each poll; the file may come back.
            Err(_) if trouble => Vec::new(),
            Err(source) => {
                trouble = true;
                vec![Update::EventsTrouble {
                    reason: ReadEventsError {
                        path: path.clone(),
                        source,
                    }
                    .to_string(),
                }]
            }
        };
        for update in found {
            if updates.send(update).await.is_err() {
                return;
            }
        }
        if follower.at_end || trouble {
            sleep(POLL).await;
        }
    }
}

fn parse(line: &[u8]) -> Update {
    match serde_json::from_slice(line) {
        Ok(event) => Update::Event(event),
        Err(error) => Update::EventsTrouble {
            reason: format!("a line of the events file is no event: {error}"),
        },
    }
}

/// A position in a growing file.
struct Follower {
    path: PathBuf,
    file: Option<File>,
    offset: u64,
    /// The beginning of a line whose end has not been written yet.
    partial: Vec<u8>,
    /// Up to the next end of line nothing counts: the reading began inside a line, or the line is too long.
    skip_line: bool,
    at_end: bool,
}

impl Follower {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            offset: 0,
            partial: Vec::new(),
            skip_line: false,
            at_end: false,
        }
    }

    /// The complete lines that follow; none at the end of the file, where `at_end` is set.
    async fn more(&mut self) -> io::Result<Vec<Vec<u8>>> {
        if self.at_end && tokio::fs::metadata(&self.path).await?.len() < self.offset {
            // Truncated, or replaced by a new run: start over.
            *self = Self::new(self.path.clone());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut file = File::open(&self.path).await?;
                let length = file.metadata().await?.len();
                if length > REPLAY_BYTES {
                    self.offset = file.seek(SeekFrom::Start(length - REPLAY_BYTES)).await?;
                    self.skip_line = true;
                }
                self.file.insert(file)
            }
        };
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).await?;
        self.at_end = read == 0;
        self.offset += read as u64;
        Ok(self.lines(&chunk[..read]))
    }

    fn lines(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut complete = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = piece
                .strip_suffix(b"\n")
                .map_or((piece, false), |text| (text, true));
            if !self.skip_line {
                self.partial.extend_from_slice(text);
                self.skip_line = self.partial.len() > MAX_LINE;
            }
            if self.skip_line {
                self.partial = Vec::new();
                self.skip_line = !ended;
            } else if ended && !self.partial.trim_ascii().is_empty() {
                complete.push(std::mem::take(&mut self.partial));
            } else if ended {
                self.partial.clear();
            }
        }
        complete
    }
}

#[cfg(test)]
mod tests;
