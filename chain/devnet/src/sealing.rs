//! Make blocks when it is time.

use std::{sync::Arc, thread, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use crate::{
    chain::{BuildError, Chain},
    config::Sealing,
    workers::STACK_BYTES,
};

/// A request for blocks, answered when they are made.
type Request = (u32, oneshot::Sender<Result<(), BuildError>>);

/// A handle on the thread that makes blocks.
#[derive(Clone)]
pub(crate) struct Sealer {
    requests: mpsc::Sender<Request>,
}

impl Sealer {
    /// Starts the thread. It ends when the last handle is dropped.
    pub(crate) fn start(chain: Arc<Chain>) -> std::io::Result<Self> {
        let (requests, mut queue) = mpsc::channel::<Request>(1);
        thread::Builder::new()
            .name("devnet-seal".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                while let Some((count, answer)) = queue.blocking_recv() {
                    let result = (0..count).try_for_each(|_| chain.seal().map(|_| ()));
                    // Whoever asked may have gone.
                    let _ = answer.send(result);
                }
            })?;
        Ok(Self { requests })
    }

    /// Makes `count` blocks.
    pub(crate) async fn seal(&self, count: u32) -> Result<(), BuildError> {
        let (answer, answered) = oneshot::channel();
        let gone = || BuildError::Call("the sealing thread ended".to_owned());
        self.requests
            .send((count, answer))
            .await
            .map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Makes blocks as `sealing` says, until `stop`. A block that cannot be made is logged, and the next one is tried.
    pub(crate) async fn run(self, chain: Arc<Chain>, sealing: Sealing, stop: CancellationToken) {
        match sealing {
            Sealing::Manual => stop.cancelled().await,
            Sealing::Interval(interval) => self.at_intervals(interval, stop).await,
            Sealing::Instant => self.on_submission(chain, stop).await,
        }
    }

    async fn at_intervals(self, interval: Duration, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is immediate; the first block is an interval away.
        ticks.tick().await;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.seal_or_log().await;
        }
    }

    async fn on_submission(self, chain: Arc<Chain>, stop: CancellationToken) {
        while stop
            .run_until_cancelled(chain.submitted().notified())
            .await
            .is_some()
        {
            self.seal_or_log().await;
        }
    }

    async fn seal_or_log(&self) {
        if let Err(error) = self.seal(1).await {
            tracing::error!(%error, "no block was made");
        }
    }
}

#[cfg(test)]
mod tests;
