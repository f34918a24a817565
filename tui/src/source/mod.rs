//! Where updates come from: the chain, polled once per block, the events of daemons, or a recording of both.
//!
//! Each side is a task, or for a feed a thread, that sends into one bounded channel and waits while it is full; an events
//! channel or a feed that overruns meanwhile drops its oldest and says so. They end with [`Updates`].

mod chain;
mod events;
mod feed;
pub mod recording;
pub mod replay;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use athanor_spec::{Hotkey, NetUid, telemetry::Event};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinSet,
    time::Instant,
};

pub use chain::{SnapshotError, snapshot};
pub use events::{ReadEventsError, read_events};
pub use feed::{Feed, FeedError, Lines, ParseFeedError, Said, TooLong, read_feed};
use recording::{Heading, RecordingError, VERSION, Writer};

use crate::state::{State, Update};

/// Updates waiting to be shown.
const QUEUE: usize = 1024;

/// What to show.
#[derive(Debug)]
pub struct Source {
    /// A network's name (`local`, `finney`, `test`, `archive`) or a WebSocket address.
    pub endpoint: String,
    /// The subnet.
    pub netuid: NetUid,
    /// Where the daemons' events are.
    pub events: Events,
    /// What neurons are known to be, where that is known (a local subnet with its red team); else empty.
    pub labels: BTreeMap<Hotkey, String>,
    /// Nominal time between blocks, used until it has been measured; `None` leaves the countdown without seconds until
    /// then.
    pub block_time: Option<Duration>,
}

/// Where the daemons' events are.
#[derive(Debug)]
pub enum Events {
    /// There are none: only the chain is shown.
    None,
    /// In this process.
    Live(broadcast::Receiver<Event>),
    /// In a file of JSON lines that a daemon appends to.
    File(PathBuf),
    /// At daemons that serve them.
    Feeds(Vec<Feed>),
}

impl Source {
    /// The state before anything was heard.
    pub fn state(&self) -> State {
        State::new(
            self.endpoint.clone(),
            self.netuid,
            self.labels.clone(),
            self.block_time,
        )
    }

    fn heading(&self) -> Heading {
        Heading {
            athanor_recording: VERSION,
            network: self.endpoint.clone(),
            netuid: self.netuid,
            labels: self.labels.clone(),
            block_time_ms: self
                .block_time
                .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// The receiving end of a started source; dropping it aborts the source's tasks.
pub struct Updates {
    updates: mpsc::Receiver<Update>,
    record: Option<Writer>,
    /// What the recording could not take, to be told once.
    trouble: Option<RecordingError>,
    started: Instant,
    _tasks: JoinSet<()>,
}

impl Updates {
    /// The next update. Stays pending for ever once the sources have ended.
    pub async fn next(&mut self) -> Update {
        if let Some(trouble) = self.take_trouble() {
            return trouble;
        }
        match self.updates.recv().await {
            Some(update) => self.recorded(update),
            None => std::future::pending().await,
        }
    }

    /// An update that has arrived already.
    pub fn ready(&mut self) -> Option<Update> {
        let update = self.updates.try_recv().ok()?;
        Some(self.recorded(update))
    }

    /// Time since the source was started: the time of the update that came last.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Why the recording ended before its time, if it did.
    pub fn trouble(&mut self) -> Option<RecordingError> {
        self.trouble.take()
    }

    fn take_trouble(&mut self) -> Option<Update> {
        self.trouble.take().map(|error| Update::EventsTrouble {
            reason: format!("the recording ends here: {error}"),
        })
    }

    fn recorded(&mut self, update: Update) -> Update {
        let at = self.started.elapsed();
        if let Some(writer) = &mut self.record
            && let Err(error) = writer.add(at, &update)
        {
            (self.record, self.trouble) = (None, Some(error));
        }
        update
    }
}

/// Starts reading; with `record`, everything that comes is written down in that file too.
pub fn start(source: Source, record: Option<&Path>) -> Result<Updates, RecordingError> {
    let record = match record {
        Some(path) => Some(Writer::create(path, &source.heading())?),
        None => None,
    };
    let (send, updates) = mpsc::channel(QUEUE);
    let mut tasks = JoinSet::new();
    tasks.spawn(chain::watch(source.endpoint, source.netuid, send.clone()));
    match source.events {
        Events::None => {}
        Events::Live(events) => {
            tasks.spawn(events::relay(events, send));
        }
        Events::File(path) => {
            tasks.spawn(events::tail(path, send));
        }
        Events::Feeds(feeds) => {
            for feed in feeds {
                let url = feed.url().to_owned();
                if let Err(error) = feed::watch(feed, send.clone()) {
                    let reason = format!("{url}: no thread for it: {error}");
                    tasks.spawn({
                        let send = send.clone();
                        // Nobody is left to tell if the receiver is gone.
                        async move { drop(send.send(Update::EventsTrouble { reason }).await) }
                    });
                }
            }
        }
    }
    Ok(Updates {
        updates,
        record,
        trouble: None,
        started: Instant::now(),
        _tasks: tasks,
    })
}

/// Writes everything that a source brings down in a file, without showing it, until `until` resolves.
pub async fn record(
    source: Source,
    path: &Path,
    until: impl Future<Output = ()>,
) -> Result<(), RecordingError> {
    let mut updates = start(source, Some(path))?;
    let mut until = std::pin::pin!(until);
    loop {
        tokio::select! {
            () = &mut until => return Ok(()),
            _ = updates.next() => if let Some(error) = updates.trouble() {
                return Err(error);
            },
        }
    }
}
