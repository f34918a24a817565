//! The chain: one picture per finalized block, as fast as the node gives them and no faster.

use std::time::{Duration, Instant};

use athanor_chain::{BlocksError, Client, ConnectError, ReadError};
use athanor_spec::NetUid;
use futures::{FutureExt, StreamExt};
use thiserror::Error;
use tokio::{sync::mpsc, time::sleep};

use crate::state::{Snapshot, Update};

/// Least time between two reads: a person cannot follow more, and a local chain may seal dozens of blocks a second.
const MIN_INTERVAL: Duration = Duration::from_millis(200);
/// Waits before the chain is tried again, the last one for ever after.
const BACKOFF: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// The chain could not be read.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The stream of blocks ended.
    #[error(transparent)]
    Blocks(#[from] BlocksError),
    /// A read failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The stream of blocks ended without saying why.
    #[error("the node stopped sending blocks")]
    Ended,
}

/// The subnet as of the latest finalized block.
pub async fn snapshot(client: &Client, netuid: NetUid) -> Result<Snapshot, SnapshotError> {
    let metagraph = client.metagraph(netuid).await?;
    let weights = client.weights(netuid).await?;
    Ok(Snapshot { metagraph, weights })
}

/// Sends a picture per block until the receiver is gone; after a failure it says so, waits and connects anew.
pub(super) async fn watch(endpoint: String, netuid: NetUid, updates: mpsc::Sender<Update>) {
    let mut failures = 0;
    while !updates.is_closed() {
        let Err(error) = follow(&endpoint, netuid, &updates, &mut failures).await else {
            return;
        };
        if updates
            .send(Update::ChainLost {
                reason: error.to_string(),
            })
            .await
            .is_err()
        {
            return;
        }
        sleep(BACKOFF[failures.min(BACKOFF.len() - 1)]).await;
        failures += 1;
    }
}

/// Ends only with an error, or without one when the receiver is gone.
async fn follow(
    endpoint: &str,
    netuid: NetUid,
    updates: &mpsc::Sender<Update>,
    failures: &mut usize,
) -> Result<(), SnapshotError> {
    let client = Client::connect(endpoint).await?;
    let mut blocks = client.blocks();
    loop {
        blocks.next().await.ok_or(SnapshotError::Ended)??;
        let started = Instant::now();
        // Of blocks that have queued up only the newest is of interest.
        while let Some(next) = blocks.next().now_or_never() {
            next.ok_or(SnapshotError::Ended)??;
        }
        let picture = snapshot(&client, netuid).await?;
        *failures = 0;
        if updates
            .send(Update::Chain(Box::new(picture)))
            .await
            .is_err()
        {
            return Ok(());
        }
        sleep(MIN_INTERVAL.saturating_sub(started.elapsed())).await;
    }
}
