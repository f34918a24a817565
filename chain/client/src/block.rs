//! Finalized blocks, as a stream that outlives the connection.

use std::{collections::VecDeque, time::Duration};

use athanor_spec::{BlockNumber, Digest};
use codec::Encode as _;
use futures::{Stream, StreamExt as _, stream};
use subxt::{
    config::{Hasher as _, substrate},
    rpcs::client::RpcSubscription,
};
use thiserror::Error;

use crate::{Client, ReadError, rpc::Header};

/// Pause after a node refused what the stream needs.
const PAUSE: Duration = Duration::from_secs(1);
/// Blocks whose hashes are remembered, to tell a node that is behind from a chain that started over.
const REMEMBERED: usize = 256;
/// Blocks by which a node may be behind the one before it, where no hash is known to tell by.
const LAG: u32 = 64;
/// Missed blocks that are filled in after a reconnect; beyond that, the stream resumes at the head.
const MAX_GAP: u32 = 2400;

/// A block of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef {
    /// Height.
    pub number: BlockNumber,
    /// Hash of the header.
    pub hash: Digest,
}

/// Why the stream of blocks ended.
#[derive(Debug, Error)]
pub enum BlocksError {
    /// Behind the same address there is another chain now.
    #[error(
        "the node at {endpoint} now serves another chain (genesis {found}, was {expected}): restart to follow it"
    )]
    ChainReplaced {
        /// The node's address.
        endpoint: String,
        /// Genesis hash when the client connected.
        expected: Digest,
        /// Genesis hash now.
        found: Digest,
    },
}

impl Client {
    /// Finalized blocks from the current one on, each once and without gaps, across reconnects and from whichever node.
    ///
    /// Should the chain start over from the same genesis (a devnet that was restarted), its blocks follow from its head.
    /// The stream holds no more than the blocks missed during one disconnection; while it is not polled, the node's
    /// notifications queue up behind it. It waits out whatever goes wrong, and ends only where the chain is another one.
    pub fn blocks(
        &self,
    ) -> impl Stream<Item = Result<BlockRef, BlocksError>> + Send + Unpin + use<> {
        let cursor = Cursor {
            client: self.clone(),
            heads: None,
            seen: VecDeque::new(),
            ready: VecDeque::new(),
            ended: false,
        };
        stream::unfold(cursor, |mut cursor| async move {
            if cursor.ended {
                return None;
            }
            let item = cursor.next().await;
            cursor.ended = item.is_err();
            Some((item, cursor))
        })
        .boxed()
    }
}

struct Cursor {
    client: Client,
    heads: Option<RpcSubscription<Header>>,
    /// The latest blocks that were given out, the newest last.
    seen: VecDeque<BlockRef>,
    ready: VecDeque<BlockRef>,
    ended: bool,
}

impl Cursor {
    async fn next(&mut self) -> Result<BlockRef, BlocksError> {
        loop {
            if let Some(block) = self.ready.pop_front() {
                self.remember(block);
                return Ok(block);
            }
            let Some(heads) = &mut self.heads else {
                self.subscribe().await?;
                continue;
            };
            let patience = self.client.patience().block;
            match tokio::time::timeout(patience, heads.next()).await {
                Ok(Some(Ok(header))) => {
                    match missed(&self.client, &self.seen, block_of(&header)).await {
                        Ok(blocks) => self.ready.extend(blocks),
                        Err(error) => self.retry(error).await,
                    }
                }
                Ok(Some(Err(error))) if !error.is_disconnected_will_reconnect() => {
                    let rpc = self.client.rpc();
                    let error = rpc.error("chain_subscribeFinalizedHeads", error);
                    self.retry(error).await;
                }
                Ok(Some(Err(_)) | None) => self.heads = None,
                Err(_) => {
                    tracing::warn!(
                        endpoint = %self.client.endpoint(),
                        seconds = patience.as_secs(),
                        "the node tells of no new block: subscribing anew, at another node if there is one"
                    );
                    self.heads = None;
                    self.client.rpc().leave_node().await;
                }
            }
        }
    }

    fn remember(&mut self, block: BlockRef) {
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(block);
    }

    /// Begins anew after `error`, which may pass.
    async fn retry(&mut self, error: ReadError) {
        tracing::warn!(endpoint = %self.client.endpoint(), %error, "cannot follow the chain: trying again");
        self.heads = None;
        self.client.rpc().leave_node().await;
        // The deadline of an answer was waited for already.
        if !matches!(error, ReadError::Unanswered { .. }) {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits for the connection, however long it takes: a daemon outlives its node.
    async fn subscribe(&mut self) -> Result<(), BlocksError> {
        let (found, heads) = loop {
            match subscribe(&self.client).await {
                Ok(subscribed) => break subscribed,
                Err(error) => self.retry(error).await,
            }
        };
        let expected = self.client.genesis();
        if found != expected {
            return Err(BlocksError::ChainReplaced {
                endpoint: self.client.endpoint().to_string(),
                expected,
                found,
            });
        }
        self.heads = Some(heads);
        Ok(())
    }
}

/// The genesis block's hash, and the blocks as they become final.
async fn subscribe(client: &Client) -> Result<(Digest, RpcSubscription<Header>), ReadError> {
    let rpc = client.rpc();
    let genesis = rpc.block_hash(BlockNumber(0)).await?.unwrap_or_default();
    Ok((genesis, rpc.subscribe_finalized().await?))
}

/// The blocks after those that were seen, up to `head`: a node announces only the latest of several that became final.
/// None while the node is behind.
async fn missed(
    client: &Client,
    seen: &VecDeque<BlockRef>,
    head: BlockRef,
) -> Result<Vec<BlockRef>, ReadError> {
    let first = match (seen.front(), seen.back()) {
        (_, Some(last)) if head.number > last.number => last.number.0 + 1,
        _ if seen.contains(&head) => return Ok(Vec::new()),
        (Some(oldest), Some(last))
            if head.number < oldest.number && last.number.0 - head.number.0 <= LAG =>
        {
            return Ok(Vec::new());
        }
        _ => head.number.0,
    };
    let kept = first.max(head.number.0.saturating_sub(MAX_GAP));
    if kept > first {
        tracing::warn!(
            missed = kept - first,
            "away for too long: resuming near the head of the chain"
        );
    }
    let mut blocks = Vec::new();
    for number in (kept..head.number.0).map(BlockNumber) {
        if let Some(hash) = client.rpc().block_hash(number).await? {
            blocks.push(BlockRef { number, hash });
        }
    }
    blocks.push(head);
    Ok(blocks)
}

/// The block that `header` heads.
pub(crate) fn block_of(header: &Header) -> BlockRef {
    let hash = substrate::BlakeTwo256.hash(&header.encode());
    BlockRef {
        number: height(header.number),
        hash: Digest(hash.0),
    }
}

/// A height as the chain's u32; the runtime stores heights as u64 in places.
pub(crate) fn height(number: u64) -> BlockNumber {
    BlockNumber(u32::try_from(number).unwrap_or(u32::MAX))
}
