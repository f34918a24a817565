//! Where updates come from: the chain, polled once per block, and the events of daemons.
//!
//! Each side is a task that sends into one bounded channel and waits while it is full; an events channel that overruns
//! meanwhile drops its oldest and says so. The tasks end with [`Updates`].

mod chain;
mod events;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use athanor_spec::{Hotkey, NetUid, telemetry::Event};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinSet,
};

pub use chain::{SnapshotError, snapshot};
pub use events::{ReadEventsError, read_events};

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
}

/// The receiving end of a started source; dropping it aborts the source's tasks.
pub struct Updates {
    updates: mpsc::Receiver<Update>,
    _tasks: JoinSet<()>,
}

impl Updates {
    /// The next update. Stays pending for ever once the sources have ended.
    pub async fn next(&mut self) -> Update {
        match self.updates.recv().await {
            Some(update) => update,
            None => std::future::pending().await,
        }
    }

    /// An update that has arrived already.
    pub fn ready(&mut self) -> Option<Update> {
        self.updates.try_recv().ok()
    }
}

/// Starts reading.
pub fn start(source: Source) -> Updates {
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
    }
    Updates {
        updates,
        _tasks: tasks,
    }
}
