//! What a daemon tells its watchers: events to subscribers in the process, and to a file as lines of JSON.
//!
//! Telling never waits. A subscriber that falls behind loses the oldest events, and learns how many from its receiver; a
//! file that cannot keep up loses the newest, and the log says so. Nothing that is paid depends on an event.

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

/// Events that a subscriber may lag behind: some rounds' worth at 256 miners.
const CAPACITY: usize = 4096;

/// The sending side, cheap to clone.
#[derive(Clone)]
pub struct Feed {
    events: broadcast::Sender<Event>,
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
        if let Some(file) = &self.file {
            file.send(event.clone());
        }
        // An error means that nobody subscribes.
        let _ = self.events.send(event);
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
    lines: Option<mpsc::SyncSender<Event>>,
    writer: Option<thread::JoinHandle<()>>,
    lost: AtomicU64,
}

impl FileSink {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        let (lines, events) = mpsc::sync_channel(CAPACITY);
        let path = path.to_owned();
        let writer = thread::Builder::new()
            .name("feed".to_owned())
            .spawn(move || {
                if let Err(error) = write_all(file, &events) {
                    tracing::error!(path = %path.display(), %error, "no more events are written");
                }
            })?;
        Ok(Self {
            lines: Some(lines),
            writer: Some(writer),
            lost: AtomicU64::new(0),
        })
    }

    fn send(&self, event: Event) {
        let sent = self.lines.as_ref().map(|lines| lines.try_send(event));
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
fn write_all(file: File, events: &mpsc::Receiver<Event>) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    while let Ok(event) = events.recv() {
        write_line(&mut file, &event)?;
        while let Ok(event) = events.try_recv() {
            write_line(&mut file, &event)?;
        }
        file.flush()?;
    }
    Ok(())
}

fn write_line(file: &mut BufWriter<File>, event: &Event) -> io::Result<()> {
    serde_json::to_writer(&mut *file, event)?;
    file.write_all(b"\n")
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
