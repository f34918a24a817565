//! The chain: one picture per finalized block, as fast as the node gives them and no faster.

use std::time::{Duration, Instant};

use athanor_chain::{BlocksError, Client, ConnectError, ReadError};
use athanor_spec::{BlockNumber, NetUid};
use futures::{FutureExt, StreamExt};
use thiserror::Error;
use tokio::{sync::mpsc, time::sleep};

use crate::state::{Snapshot, Update};

/// Least time between two reads: a person cannot follow more, and a local chain may seal dozens of blocks a second.
const MIN_INTERVAL: Duration = Duration::from_millis(200);
/// Blocks whose extrinsics and events are read at most for one picture: of a long outage only the end is of interest.
const MAX_CONTENTS: u32 = 4;
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

/// The subnet as of the latest finalized block: neurons, votes and rules of one and the same block.
pub async fn snapshot(client: &Client, netuid: NetUid) -> Result<Snapshot, SnapshotError> {
    let metagraph = client.metagraph(netuid).await?;
    let rules = client.hyperparameters(netuid, Some(metagraph.hash)).await?;
    let votes = client.votes(&metagraph, &rules).await?;
    Ok(Snapshot {
        metagraph,
        votes,
        rules,
    })
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
    let mut told: Option<BlockNumber> = None;
    loop {
        blocks.next().await.ok_or(SnapshotError::Ended)??;
        let started = Instant::now();
        // Of blocks that have queued up only the newest is of interest.
        while let Some(next) = blocks.next().now_or_never() {
            next.ok_or(SnapshotError::Ended)??;
        }
        let picture = snapshot(&client, netuid).await?;
        *failures = 0;
        let block = picture.metagraph.block;
        if updates
            .send(Update::Chain(Box::new(picture)))
            .await
            .is_err()
        {
            return Ok(());
        }
        let first = told.map_or(block.0, |told| told.0 + 1);
        for number in first.max(block.0.saturating_sub(MAX_CONTENTS - 1))..=block.0 {
            let content = client.block_content(BlockNumber(number)).await?;
            if updates.send(Update::Block(content)).await.is_err() {
                return Ok(());
            }
        }
        told = Some(block);
        sleep(MIN_INTERVAL.saturating_sub(started.elapsed())).await;
    }
}
