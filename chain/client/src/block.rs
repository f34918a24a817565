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

/// A subscription that stays silent for so long is taken out anew: a node may drop one without telling.
const STALL: Duration = Duration::from_secs(60);
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
    /// The node could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
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
    /// Finalized blocks from the current one on, each once and without gaps, across reconnects.
    ///
    /// Should the chain start over from the same genesis (a devnet that was restarted), its blocks follow from its head.
    /// The stream holds no more than the blocks missed during one disconnection; while it is not polled, the node's
    /// notifications queue up behind it. It ends after the first error.
    pub fn blocks(
        &self,
    ) -> impl Stream<Item = Result<BlockRef, BlocksError>> + Send + Unpin + use<> {
        let cursor = Cursor {
            client: self.clone(),
            heads: None,
            last: None,
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
    last: Option<BlockRef>,
    ready: VecDeque<BlockRef>,
    ended: bool,
}

impl Cursor {
    async fn next(&mut self) -> Result<BlockRef, BlocksError> {
        loop {
            if let Some(block) = self.ready.pop_front() {
                self.last = Some(block);
                return Ok(block);
            }
            let Some(heads) = &mut self.heads else {
                self.subscribe().await?;
                continue;
            };
            match tokio::time::timeout(STALL, heads.next()).await {
                Ok(Some(Ok(header))) => {
                    match missed(&self.client, self.last, block_of(&header)).await {
                        Ok(blocks) => self.ready.extend(blocks),
                        Err(ReadError::Unanswered { .. }) => self.heads = None,
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(Some(Err(error))) if !error.is_disconnected_will_reconnect() => {
                    return Err(self
                        .client
                        .rpc()
                        .error("chain_subscribeFinalizedHeads", error)
                        .into());
                }
                Ok(Some(Err(_)) | None) => self.heads = None,
                Err(_) => {
                    self.heads = None;
                    self.client.rpc().leave_stalled_node().await;
                }
            }
        }
    }

    /// Waits for the connection, however long it takes: a daemon outlives its node.
    async fn subscribe(&mut self) -> Result<(), BlocksError> {
        loop {
            match self.try_subscribe().await {
                Err(BlocksError::Read(ReadError::Unanswered { endpoint, .. })) => {
                    tracing::warn!(%endpoint, "no answer from the chain: still trying to reconnect");
                }
                other => return other,
            }
        }
    }

    async fn try_subscribe(&mut self) -> Result<(), BlocksError> {
        let rpc = self.client.rpc();
        let found = rpc.block_hash(BlockNumber(0)).await?.unwrap_or_default();
        let expected = self.client.genesis();
        if found != expected {
            return Err(BlocksError::ChainReplaced {
                endpoint: rpc.endpoint().to_string(),
                expected,
                found,
            });
        }
        self.heads = Some(rpc.subscribe_finalized().await?);
        Ok(())
    }
}

/// The blocks after `last`, up to `head`: a node announces only the latest of several that became final.
async fn missed(
    client: &Client,
    last: Option<BlockRef>,
    head: BlockRef,
) -> Result<Vec<BlockRef>, ReadError> {
    let first = match last {
        Some(last) if last == head => return Ok(Vec::new()),
        Some(last) if head.number > last.number => last.number.0 + 1,
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
