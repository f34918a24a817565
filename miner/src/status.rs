//! What a running miner says of itself.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use athanor_spec::{Digest, Hotkey};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    Backend, Counts, distillery::Progress, publish::Standing, serve::now_ms, tally::Tally,
};

/// A miner at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// Milliseconds since it began to serve.
    pub uptime_ms: u64,
    /// Who is paid.
    pub hotkey: Hotkey,
    /// The address that the chain has of it, as far as this process knows.
    pub address: Option<SocketAddr>,
    /// The last block that it saw.
    pub block: u32,
    /// The checkpoint that answers are drawn from.
    pub serving: Digest,
    /// The checkpoint that is committed on chain, as far as this process knows.
    pub committed: Option<Digest>,
    /// The block from which on the committed one is served, if it is not yet.
    pub swap_at: Option<u32>,
    /// A checkpoint that waits to be committed.
    pub ready: Option<Digest>,
    /// Answers being drawn or waiting for the engine.
    pub in_flight: usize,
    /// What it did since it started.
    pub counts: Counts,
    /// How training goes, if there is any.
    pub training: Option<Progress>,
}

/// Whence a status comes. Clones tell of the same miner.
#[derive(Clone)]
pub(crate) struct Report {
    pub(crate) hotkey: Hotkey,
    pub(crate) started_ms: u64,
    pub(crate) backend: Backend,
    pub(crate) tally: Arc<Tally>,
    pub(crate) standing: watch::Receiver<Standing>,
    pub(crate) training: Option<Arc<Mutex<Progress>>>,
}

impl Report {
    pub(crate) fn status(&self) -> Status {
        let standing = *self.standing.borrow();
        let training = self.training.as_ref();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_ms: now_ms().saturating_sub(self.started_ms),
            hotkey: self.hotkey,
            address: standing.axon,
            block: standing.block.0,
            serving: self.backend.checkpoint(),
            committed: standing.committed,
            swap_at: standing.swap_at.map(|block| block.0),
            ready: standing.ready,
            in_flight: self.backend.in_flight(),
            counts: self.tally.counts(),
            training: training.map(|it| *it.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}
