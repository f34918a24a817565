//! The node's RPC with a deadline on every call.

use std::{future::Future, sync::Arc};

use athanor_spec::{BlockNumber, Digest, NetUid};
use subxt::{
    SubstrateConfig,
    config::{RpcConfigFor, substrate},
    rpcs::{
        self, LegacyRpcMethods, RpcClient,
        client::RpcSubscription,
        methods::legacy::{Bytes, TransactionStatus},
    },
};
use thiserror::Error;

use crate::{
    BlockRef, Connection, Endpoint, Patience,
    block::block_of,
    transport::{Failover, Shared},
};

/// A block header.
pub(crate) type Header = substrate::SubstrateHeader<substrate::H256>;

/// Why the chain could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// No answer, and no connection either.
    #[error(
        "{endpoint} did not answer within {seconds} s: check that the node runs and can be reached (reconnecting meanwhile)"
    )]
    Unanswered {
        /// The node's address.
        endpoint: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The node answered with an error.
    #[error("the node refused `{method}`: {reason} (code {code})")]
    Refused {
        /// The RPC method.
        method: &'static str,
        /// JSON-RPC error code.
        code: i32,
        /// What the node says.
        reason: String,
    },
    /// The connection is beyond repair, or what came over it is not JSON-RPC.
    #[error("`{method}` failed at {endpoint}: {source}")]
    Connection {
        /// The node's address.
        endpoint: String,
        /// The RPC method.
        method: &'static str,
        /// The cause.
        source: Box<rpcs::Error>,
    },
    /// The chain's runtime could not be identified at a block.
    #[error("cannot read the runtime's metadata at block {block}: {source}")]
    Metadata {
        /// The block.
        block: BlockNumber,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The runtime lacks a name that this client needs.
    #[error(
        "the chain has no `{pallet}.{name}`: it is not a Bittensor chain, or its runtime is newer than this build"
    )]
    UnknownName {
        /// The pallet.
        pallet: String,
        /// The storage item, call or event.
        name: String,
    },
    /// The runtime has the name, with another shape.
    #[error("`{pallet}.{name}` is not of the shape that this build knows: {source}")]
    UnknownShape {
        /// The pallet.
        pallet: String,
        /// The storage item, call or event.
        name: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The runtime has the name, with other types.
    #[error(
        "`{pallet}.{name}` is `{found}` on this chain, and this build knows it as `{expected}`: update one of the two"
    )]
    OtherType {
        /// The pallet.
        pallet: &'static str,
        /// The storage item or call.
        name: &'static str,
        /// What this build knows.
        expected: String,
        /// What the metadata says.
        found: String,
    },
    /// There is no such block, or its state is no longer kept.
    #[error(
        "block {block} is not on the chain, or the node no longer keeps it: ask a recent block, or an archive node"
    )]
    UnknownBlock {
        /// The block's number or hash.
        block: String,
    },
    /// There is no such subnet.
    #[error("subnet {netuid} does not exist on this chain: check --netuid and the endpoint")]
    NoSubnet {
        /// The subnet.
        netuid: NetUid,
    },
}

/// A connection that keeps reconnecting.
#[derive(Clone)]
pub(crate) struct Rpc {
    transport: Arc<Failover>,
    patience: Patience,
    methods: LegacyRpcMethods<RpcConfigFor<SubstrateConfig>>,
}

impl Rpc {
    pub(crate) fn new(transport: Arc<Failover>, patience: Patience) -> Self {
        let client = RpcClient::new(Shared(transport.clone()));
        Self {
            transport,
            patience,
            methods: LegacyRpcMethods::new(client),
        }
    }

    /// How long to wait for what.
    pub(crate) fn patience(&self) -> Patience {
        self.patience
    }

    /// The node in use.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        self.transport.endpoint()
    }

    /// How the connection fares.
    pub(crate) fn connection(&self) -> Connection {
        self.transport.status()
    }

    /// Moves on to another node, if there is one and this one is connected: it may know more blocks than one that has told
    /// of none for long, or answer where this one does not.
    pub(crate) async fn leave_node(&self) {
        if self.transport.is_lost() {
            return;
        }
        // Past the deadline the stream of blocks goes on with whatever connection there is.
        let _ = tokio::time::timeout(self.patience.answer, self.transport.leave()).await;
    }

    /// Runs `work` until the deadline.
    pub(crate) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, ReadError>>,
    ) -> Result<T, ReadError> {
        match tokio::time::timeout(self.patience.answer, work).await {
            Ok(result) => result,
            Err(_) => {
                self.transport.unheard();
                Err(ReadError::Unanswered {
                    endpoint: self.endpoint().to_string(),
                    seconds: self.patience.answer.as_secs(),
                })
            }
        }
    }

    pub(crate) async fn block_hash(
        &self,
        number: BlockNumber,
    ) -> Result<Option<Digest>, ReadError> {
        let hash = self
            .call("chain_getBlockHash", || {
                self.methods
                    .chain_get_block_hash(Some(u64::from(number.0).into()))
            })
            .await?;
        Ok(hash.map(|hash| Digest(hash.0)))
    }

    /// The header of `hash`, or [`ReadError::UnknownBlock`].
    pub(crate) async fn block(&self, hash: Digest) -> Result<BlockRef, ReadError> {
        let header = self
            .call("chain_getHeader", || {
                self.methods.chain_get_header(Some(hash.0.into()))
            })
            .await?;
        let header = header.ok_or_else(|| ReadError::UnknownBlock {
            block: hash.to_string(),
        })?;
        Ok(block_of(&header))
    }

    pub(crate) async fn finalized(&self) -> Result<BlockRef, ReadError> {
        let hash = self
            .call("chain_getFinalizedHead", || {
                self.methods.chain_get_finalized_head()
            })
            .await?;
        self.block(Digest(hash.0)).await
    }

    pub(crate) async fn subscribe_finalized(&self) -> Result<RpcSubscription<Header>, ReadError> {
        self.call("chain_subscribeFinalizedHeads", || {
            self.methods.chain_subscribe_finalized_heads()
        })
        .await
    }

    /// Encoded extrinsics of a block, as the block holds them.
    pub(crate) async fn body(&self, block: BlockRef) -> Result<Vec<Vec<u8>>, ReadError> {
        let details = self
            .call("chain_getBlock", || {
                self.methods.chain_get_block(Some(block.hash.0.into()))
            })
            .await?;
        let details = details.ok_or_else(|| ReadError::UnknownBlock {
            block: block.number.to_string(),
        })?;
        Ok(details
            .block
            .extrinsics
            .into_iter()
            .map(|Bytes(bytes)| bytes)
            .collect())
    }

    /// Values of `keys` at a block, in the order of `keys`.
    pub(crate) async fn storage(
        &self,
        keys: &[Vec<u8>],
        at: BlockRef,
    ) -> Result<Vec<Option<Vec<u8>>>, ReadError> {
        let sets = self
            .call("state_queryStorageAt", || {
                self.methods
                    .state_query_storage_at(keys.iter().map(Vec::as_slice), Some(at.hash.0.into()))
            })
            .await
            .map_err(|error| pruned(error, at))?;
        let mut found: std::collections::HashMap<Vec<u8>, Option<Vec<u8>>> = sets
            .into_iter()
            .flat_map(|set| set.changes)
            .map(|(Bytes(key), value)| (key, value.map(|Bytes(value)| value)))
            .collect();
        Ok(keys.iter().map(|key| found.remove(key).flatten()).collect())
    }

    /// The next nonce of an account, extrinsics in the node's pool included.
    pub(crate) async fn next_nonce(
        &self,
        account: substrate::AccountId32,
    ) -> Result<u64, ReadError> {
        self.call("system_accountNextIndex", || {
            self.methods.system_account_next_index(&account)
        })
        .await
    }

    /// Hands an extrinsic to the node's pool; the outer error is the connection's, the inner one the pool's.
    pub(crate) async fn submit(
        &self,
        extrinsic: &[u8],
    ) -> Result<RpcSubscription<TransactionStatus<substrate::H256>>, rpcs::Error> {
        self.methods
            .author_submit_and_watch_extrinsic(extrinsic)
            .await
    }

    /// Repeats a call that was cut off by a disconnection, until the deadline.
    async fn call<T, F>(&self, method: &'static str, call: impl Fn() -> F) -> Result<T, ReadError>
    where
        F: Future<Output = Result<T, rpcs::Error>>,
    {
        self.within(async {
            loop {
                match call().await {
                    Err(error) if error.is_disconnected_will_reconnect() => {}
                    result => return result.map_err(|error| self.error(method, error)),
                }
            }
        })
        .await
    }

    pub(crate) fn error(&self, method: &'static str, error: rpcs::Error) -> ReadError {
        match error {
            rpcs::Error::User(user) => ReadError::Refused {
                method,
                code: user.code,
                reason: reason(&user),
            },
            source => ReadError::Connection {
                endpoint: self.endpoint().to_string(),
                method,
                source: Box::new(source),
            },
        }
    }

    /// What subxt met while it identified the runtime at `block`.
    pub(crate) fn metadata_error(
        block: BlockRef,
        error: impl std::error::Error + Send + Sync + 'static,
    ) -> ReadError {
        ReadError::Metadata {
            block: block.number,
            source: Box::new(error),
        }
    }
}

/// Code that nodes give for a block whose state they do not hold.
const UNKNOWN_BLOCK: i32 = 4003;

fn pruned(error: ReadError, at: BlockRef) -> ReadError {
    match error {
        ReadError::Refused {
            code: UNKNOWN_BLOCK,
            ..
        } => ReadError::UnknownBlock {
            block: at.number.to_string(),
        },
        other => other,
    }
}

/// The node's words. The message alone is often "Invalid Transaction"; the reason is in the data.
pub(crate) fn reason(error: &rpcs::UserError) -> String {
    let Some(data) = &error.data else {
        return error.message.clone();
    };
    let data = serde_json::from_str::<String>(data.get()).unwrap_or_else(|_| data.get().to_owned());
    format!("{}: {data}", error.message)
}
