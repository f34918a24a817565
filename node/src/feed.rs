//! What a daemon tells its watchers: events to subscribers in the process, to readers by HTTP ([`serve`]), and to a file as
//! lines of JSON.
//!
//! Telling never waits. A subscriber that falls behind loses the oldest events, and learns how many from its receiver, or
//! as a reader from the stream; a file that cannot keep up loses the newest, and the log says so. Nothing that is paid
//! depends on an event.

mod counts;
#[cfg(test)]
mod golden;
mod ring;
mod server;

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use athanor_spec::telemetry::Event;
use thiserror::Error;
use tokio::sync::broadcast;

pub use counts::Counts;
use ring::{Line, Ring, Room};
pub use server::{FeedServer, Readers, ServeFeedError, serve};

/// Events that a subscriber may lag behind: some rounds' worth at 256 miners.
const CAPACITY: usize = 4096;
/// What is kept for readers that come back: the bytes bound the memory, the events what is told at once to who asks for all.
const ROOM: Room = Room {
    events: 4 * CAPACITY,
    bytes: 4 << 20,
};

/// The sending side, cheap to clone.
#[derive(Clone)]
pub struct Feed {
    events: broadcast::Sender<Event>,
    ring: Arc<Ring>,
    counts: Counts,
    file: Option<Arc<FileSink>>,
}

/// Why the file for events could not be opened.
#[derive(Debug, Error)]
#[error("cannot write events to {path}: {source}")]
pub struct FeedError {
    /// The file.
    pub path: PathBuf,
    /// The cause.
    pub source: io::Error,
}

impl Feed {
    /// A feed for subscribers only.
    pub fn new() -> Self {
        Self {
            events: broadcast::Sender::new(CAPACITY),
            ring: Arc::new(Ring::new(ROOM)),
            counts: Counts::default(),
            file: None,
        }
    }

    /// A feed that also appends every event to the file at `path`, one line of JSON each.
    ///
    /// The file is complete once the last clone of the feed is gone.
    pub fn with_file(path: &Path) -> Result<Self, FeedError> {
        let sink = FileSink::open(path).map_err(|source| FeedError {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            file: Some(Arc::new(sink)),
            ..Self::new()
        })
    }

    /// Tells everybody who listens.
    pub fn send(&self, event: Event) {
        self.counts.observe(&event);
        match serde_json::to_string(&event) {
            Ok(json) => {
                let name = event.name();
                let line = Arc::new(Line { name, json });
                if let Some(file) = &self.file {
                    file.send(line.clone());
                }
                self.ring.push(line);
            }
            // Nothing in an event can be no JSON.
            Err(error) => tracing::error!(%error, event = event.name(), "an event is not told"),
        }
        // An error means that nobody subscribes.
        let _ = self.events.send(event);
    }

    /// What metrics tell of the events.
    pub fn counts(&self) -> Counts {
        self.counts.clone()
    }

    /// Everything that is sent from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self::new()
    }
}

/// Owns the thread that writes the file: a disk may be slow, and tasks must not wait for it.
struct FileSink {
    lines: Option<mpsc::SyncSender<Arc<Line>>>,
    writer: Option<thread::JoinHandle<()>>,
    lost: AtomicU64,
}

impl FileSink {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        let (lines, waiting) = mpsc::sync_channel(CAPACITY);
        let path = path.to_owned();
        let writer = thread::Builder::new()
            .name("feed".to_owned())
            .spawn(move || {
                if let Err(error) = write_all(file, &waiting) {
                    tracing::error!(path = %path.display(), %error, "no more events are written");
                }
            })?;
        Ok(Self {
            lines: Some(lines),
            writer: Some(writer),
            lost: AtomicU64::new(0),
        })
    }

    fn send(&self, line: Arc<Line>) {
        let sent = self.lines.as_ref().map(|lines| lines.try_send(line));
        if !matches!(sent, Some(Ok(()))) && self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!("the file of events cannot keep up: events are left out from now on");
        }
    }
}

impl Drop for FileSink {
    fn drop(&mut self) {
        drop(self.lines.take());
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to write.
            let _ = writer.join();
        }
    }
}

/// Writes events until the last sender is gone; flushes whenever there is nothing to write, so that a reader of the file
/// sees each event soon.
fn write_all(file: File, lines: &mpsc::Receiver<Arc<Line>>) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    while let Ok(line) = lines.recv() {
        writeln!(file, "{}", line.json)?;
        while let Ok(line) = lines.try_recv() {
            writeln!(file, "{}", line.json)?;
        }
        file.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use athanor_spec::{Digest, Hotkey};

    use super::*;

    fn swapped(to: u8) -> Event {
        Event::Swapped {
            miner: Hotkey([1; 32]),
            from: Digest([0; 32]),
            to: Digest([to; 32]),
        }
    }

    #[test]
    fn subscribers_get_what_is_sent_after_they_came() {
        let feed = Feed::new();
        feed.send(swapped(1));
        let mut events = feed.subscribe();
        feed.send(swapped(2));
        assert_eq!(events.try_recv().unwrap(), swapped(2));
        assert!(events.try_recv().is_err());
    }

    #[test]
    fn a_slow_subscriber_learns_how_many_events_it_missed() {
        let feed = Feed::new();
        let mut events = feed.subscribe();
        for _ in 0..CAPACITY + 3 {
            feed.send(swapped(1));
        }
        assert_eq!(
            events.try_recv(),
            Err(broadcast::error::TryRecvError::Lagged(3))
        );
        assert_eq!(events.try_recv().unwrap(), swapped(1));
    }

    #[test]
    fn the_file_holds_every_event_as_a_line_when_the_feed_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let sent: Vec<Event> = (0..100).map(swapped).collect();
        for half in sent.chunks(50) {
            let feed = Feed::with_file(&path).unwrap();
            let clone = feed.clone();
            half.iter().for_each(|event| clone.send(event.clone()));
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let read: Vec<Event> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(read, sent);
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let error = Feed::with_file(Path::new("/nowhere/events.jsonl"))
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nowhere/events.jsonl"), "{error}");
    }
}
