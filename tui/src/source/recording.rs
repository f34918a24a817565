//! A recording: every update with its time, one JSON object per line, compressed by gzip where the file's name ends in
//! `.gz`.
//!
//! The first line says what was watched:
//!
//! ```json
//! {"athanor_recording":1,"network":"local","netuid":1,"labels":{"5Fhn…":"honest"},"block_time_ms":250}
//! ```
//!
//! Every other line is an update, `at_ms` milliseconds after the start, in order of time:
//!
//! ```json
//! {"at_ms":1204,"update":{"chain":{"metagraph":{},"votes":{},"rules":{}}}}
//! {"at_ms":1210,"update":{"block":{"block":17,"extrinsics":[],"events":[]}}}
//! {"at_ms":1390,"update":{"event":{"swapped":{"miner":"5Fhn…","from":"9a…","to":"41…"}}}}
//! {"at_ms":1400,"update":{"feed":{"url":"http://127.0.0.1:9617/events","link":"live"}}}
//! {"at_ms":1500,"update":{"chain_lost":{"reason":"…"}}}
//! {"at_ms":1501,"update":{"events_trouble":{"reason":"…"}}}
//! ```
//!
//! `chain` holds what [`crate::Snapshot`] does, `event` what [`athanor_spec::telemetry::Event`] does. Fields are only
//! ever added; a number after `athanor_recording` that is larger than [`VERSION`] is refused.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use athanor_spec::{Hotkey, NetUid};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::state::{State, Update};

/// The format's version.
pub const VERSION: u32 = 1;
/// A line that is longer is not ours.
const MAX_LINE: u64 = 64 << 20;
/// Updates that a replay takes at most: some days of a busy subnet.
const MAX_UPDATES: usize = 4 << 20;

/// What was watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heading {
    /// [`VERSION`].
    pub athanor_recording: u32,
    /// The network or endpoint.
    pub network: String,
    /// The subnet.
    pub netuid: NetUid,
    /// What neurons are known to be.
    pub labels: BTreeMap<Hotkey, String>,
    /// Nominal time between blocks.
    pub block_time_ms: Option<u64>,
}

/// One update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Milliseconds since the start.
    pub at_ms: u64,
    /// What came. Not flattened: serde would buffer it, and lose its floats (see `telemetry::Event`).
    pub update: Update,
}

/// Why a recording cannot be written or read.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// The file cannot be written.
    #[error("cannot write the recording {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("cannot read the recording {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not of the format.
    #[error("line {line} of {} is not of a recording: {source}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// The recording is of a later version.
    #[error("{} is a recording of version {version}, and this build knows up to {VERSION}: update it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// It is longer than a replay takes.
    #[error("{} holds more than {MAX_UPDATES} updates: cut it into parts", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
}

/// Writes a recording; what is complete is on disk once it is dropped.
pub(crate) struct Writer {
    path: PathBuf,
    sink: Sink,
}

enum Sink {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
}

impl Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(line),
            Self::Gzip(file) => file.write_all(line),
        }
    }
}

impl Writer {
    /// Begins a recording in a new file.
    pub(crate) fn create(path: &Path, heading: &Heading) -> Result<Self, RecordingError> {
        let failed = |source| RecordingError::Write {
            path: path.to_owned(),
            source,
        };
        let file = BufWriter::new(File::create(path).map_err(failed)?);
        let sink = match path.extension().is_some_and(|it| it == "gz") {
            true => Sink::Gzip(Box::new(GzEncoder::new(file, Compression::best()))),
            false => Sink::Plain(file),
        };
        let mut writer = Self {
            path: path.to_owned(),
            sink,
        };
        writer.line(heading)?;
        Ok(writer)
    }

    /// Adds an update; what is nothing but time is left out.
    pub(crate) fn add(&mut self, at: Duration, update: &Update) -> Result<(), RecordingError> {
        #[derive(Serialize)]
        struct Line<'a> {
            at_ms: u64,
            update: &'a Update,
        }
        if *update == Update::Tick {
            return Ok(());
        }
        let at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        self.line(&Line { at_ms, update })
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), RecordingError> {
        let written = serde_json::to_vec(value)
            .map_err(io::Error::from)
            .and_then(|mut line| {
                line.push(b'\n');
                self.sink.write(&line)
            });
        written.map_err(|source| RecordingError::Write {
            path: self.path.clone(),
            source,
        })
    }
}

/// A recording in memory.
#[derive(Clone, Debug)]
pub struct Recording {
    /// What was watched.
    pub heading: Heading,
    /// The updates, in order of time.
    pub entries: Vec<(Duration, Update)>,
}

impl Recording {
    /// Reads a recording. The end of one that was cut off in the middle of a line is left out.
    pub fn read(path: &Path) -> Result<Self, RecordingError> {
        let file = File::open(path).map_err(|source| RecordingError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, BufReader::new(file))
    }

    /// Reads what `source` holds, plain or gzipped; errors name it by `path`.
    pub fn parse(path: &Path, mut source: impl BufRead) -> Result<Self, RecordingError> {
        let failed = |source| RecordingError::Read {
            path: path.to_owned(),
            source,
        };
        let zipped = source
            .fill_buf()
            .map_err(failed)?
            .starts_with(&[0x1f, 0x8b]);
        let mut lines: Box<dyn BufRead + '_> = match zipped {
            true => Box::new(BufReader::new(MultiGzDecoder::new(source))),
            false => Box::new(source),
        };
        let mut number = 0;
        let mut heading: Option<Heading> = None;
        let mut entries: Vec<(Duration, Update)> = Vec::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            let ended = lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
            match ended {
                Ok(0) => break,
                Ok(_) => {}
                // The writer was killed: gzip's end is missing.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && heading.is_some() => {
                    break;
                }
                Err(error) => return Err(failed(error)),
            }
            number += 1;
            let complete = line.ends_with(b"\n");
            let wrong = |source| RecordingError::Line {
                path: path.to_owned(),
                line: number,
                source,
            };
            if heading.is_none() {
                let found: Heading = serde_json::from_slice(&line).map_err(wrong)?;
                if found.athanor_recording > VERSION {
                    return Err(RecordingError::Version {
                        path: path.to_owned(),
                        version: found.athanor_recording,
                    });
                }
                heading = Some(found);
                continue;
            }
            match serde_json::from_slice::<Entry>(&line) {
                Ok(entry) => {
                    let last = entries.last().map_or(Duration::ZERO, |(at, _)| *at);
                    entries.push((Duration::from_millis(entry.at_ms).max(last), entry.update));
                }
                Err(_) if !complete => break,
                Err(source) => return Err(wrong(source)),
            }
            if entries.len() > MAX_UPDATES {
                return Err(RecordingError::TooLong {
                    path: path.to_owned(),
                });
            }
        }
        let heading = heading.ok_or_else(|| failed(io::ErrorKind::UnexpectedEof.into()))?;
        Ok(Self { heading, entries })
    }

    /// The state before its first update.
    pub fn state(&self) -> State {
        State::new(
            self.heading.network.clone(),
            self.heading.netuid,
            self.heading.labels.clone(),
            self.heading.block_time_ms.map(Duration::from_millis),
        )
    }

    /// The state after everything that came until `at`, and at that time.
    pub fn state_at(&self, at: Duration) -> State {
        let mut state = self.state();
        for (time, update) in self.entries.iter().take_while(|(time, _)| *time <= at) {
            state.update(update.clone(), *time);
        }
        state.update(Update::Tick, at.min(self.length()));
        state
    }

    /// When its last update came.
    pub fn length(&self) -> Duration {
        self.entries.last().map_or(Duration::ZERO, |(at, _)| *at)
    }
}

#[cfg(test)]
mod tests;
