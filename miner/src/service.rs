//! The network service of a miner: requests in, answers out, with neither chain nor training.
//!
//! [`crate::start`] runs one beside everything else that a miner does. Alone it is what benchmarks and tests measure.

use std::{io, path::Path, sync::Arc, time::Duration};

use athanor_chain::Signer;
use athanor_net::{BlobStore, Inbound, Serving};
use athanor_node::Feed;
use athanor_spec::{SigningContext, SubnetSpec};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    Backend, Behaviour, Counts,
    admission::{Allowance, Roster},
    deltas::Deltas,
    serve::{Front, Watermark, now_ms},
    tally::Tally,
};

/// What a service needs.
pub struct ServiceConfig {
    /// Who signs the answers.
    pub hotkey: Signer,
    /// Chain and subnet.
    pub context: SigningContext,
    /// The subnet's spec.
    pub spec: SubnetSpec,
    /// What draws the tokens.
    pub backend: Backend,
    /// How asks become answers.
    pub behaviour: Behaviour,
    /// What is served of files.
    pub blobs: BlobStore,
    /// Answers drawn at once.
    pub slots: usize,
    /// Asks that may wait.
    pub queue: usize,
    /// How much each asker may use.
    pub allowance: watch::Receiver<Allowance>,
    /// How long what was admitted may take after the end was asked for.
    pub drain: watch::Receiver<Duration>,
    /// Who is served.
    pub roster: watch::Receiver<Arc<Roster>>,
    /// Who is told of requests that failed.
    pub feed: Feed,
    /// What others hear who ask how this node is ([`athanor_net::NetHandle::serving`]).
    pub serving: watch::Sender<Serving>,
}

/// A service that is ready to run.
pub struct Service {
    front: Front,
}

impl Service {
    /// A service that remembers in `watermark` (a file) what the process before it may have answered.
    pub fn new(config: ServiceConfig, watermark: &Path) -> io::Result<Self> {
        Self::with_deltas(config, watermark, None)
    }

    pub(crate) fn with_deltas(
        config: ServiceConfig,
        watermark: &Path,
        deltas: Option<Deltas>,
    ) -> io::Result<Self> {
        let front = Front::new(config, deltas, Watermark::open(watermark)?, now_ms());
        Ok(Self { front })
    }

    /// What it does, from the start on.
    pub fn counts(&self) -> impl Fn() -> Counts + Send + Sync + 'static {
        let tally = self.tally();
        move || tally.counts()
    }

    pub(crate) fn tally(&self) -> Arc<Tally> {
        self.front.tally()
    }

    /// Serves until told to stop, then until what was admitted is answered or the time for it is over.
    pub async fn run(self, inbound: Inbound, stop: CancellationToken) {
        self.front.run(inbound, stop).await;
    }
}
