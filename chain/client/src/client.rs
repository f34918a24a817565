//! The handle that everything else hangs off.

use std::{sync::Arc, time::Duration};

use athanor_spec::{BlockNumber, Digest, Hotkey, NetUid, Rao, SigningContext};
use scale_decode::DecodeAsType;
use subxt::{
    OnlineClient, SubstrateConfig,
    backend::LegacyBackend,
    rpcs::{
        RpcClient,
        client::reconnecting_rpc_client::{ExponentialBackoff, RpcClient as ReconnectingClient},
    },
};
use thiserror::Error;

use crate::{
    BlockRef, Endpoint, ParseEndpointError, ReadError,
    items::{self, Item},
    rpc::Rpc,
    state::account,
};

/// Longest wait for the WebSocket handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// First pause between attempts to reconnect; each is twice the one before, up to [`MAX_BACKOFF`].
const FIRST_BACKOFF_MS: u64 = 2;
/// A chain's block takes 12 s: reconnecting faster than this gains nothing, slower loses blocks.
const MAX_BACKOFF: Duration = Duration::from_secs(3);

/// Why a chain could not be connected to.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The endpoint is misspelt.
    #[error(transparent)]
    Endpoint(#[from] ParseEndpointError),
    /// Nobody answers there.
    #[error(
        "no chain answers at {endpoint} ({source}): start one (`athanor-devnet`), or give another endpoint"
    )]
    Unreachable {
        /// The node's address.
        endpoint: Endpoint,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The node answers, but its chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A connection to one chain. Clones share it; it reconnects by itself.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    rpc: Rpc,
    online: OnlineClient<SubstrateConfig>,
    genesis: Digest,
}

impl Client {
    /// Connects to `endpoint`: a WebSocket address, or the name of a network (`local`, `finney`, `test`, `archive`).
    ///
    /// Fails at once if nobody answers; later disconnections are waited out.
    pub async fn connect(endpoint: &str) -> Result<Self, ConnectError> {
        let endpoint: Endpoint = endpoint.parse()?;
        let unreachable =
            |error: Box<dyn std::error::Error + Send + Sync>| ConnectError::Unreachable {
                endpoint: endpoint.clone(),
                source: error,
            };
        // The reconnecting client would try for ever, and never say why: this first attempt gives the reason.
        ReconnectingClient::builder()
            .retry_policy(std::iter::empty())
            .connection_timeout(HANDSHAKE)
            .build(endpoint.url())
            .await
            .map_err(|error| unreachable(Box::new(error)))?;
        let backoff = ExponentialBackoff::from_millis(FIRST_BACKOFF_MS)
            .factor(50)
            .max_delay(MAX_BACKOFF);
        let connecting = ReconnectingClient::builder()
            .retry_policy(backoff)
            .connection_timeout(HANDSHAKE)
            .build(endpoint.url());
        let socket = tokio::time::timeout(HANDSHAKE, connecting)
            .await
            .map_err(|elapsed| unreachable(Box::new(elapsed)))?
            .map_err(|error| unreachable(Box::new(error)))?;

        let socket = RpcClient::new(socket);
        let rpc = Rpc::new(endpoint.clone(), socket.clone());
        let genesis = rpc
            .block_hash(athanor_spec::BlockNumber(0))
            .await?
            .unwrap_or_default();
        let backend = LegacyBackend::builder().build(socket);
        let config = SubstrateConfig::builder()
            .set_genesis_hash(genesis.0.into())
            .build();
        let online = OnlineClient::from_backend_with_config(config, Arc::new(backend))
            .await
            .map_err(|error| unreachable(Box::new(error)))?;
        let client = Self {
            inner: Arc::new(Inner {
                rpc,
                online,
                genesis,
            }),
        };
        client.check_runtime().await?;
        Ok(client)
    }

    /// The node's address.
    pub fn endpoint(&self) -> &Endpoint {
        self.inner.rpc.endpoint()
    }

    /// Hash of the chain's genesis block.
    pub fn genesis(&self) -> Digest {
        self.inner.genesis
    }

    /// Hash of the finalized block at this height.
    pub async fn block_hash(&self, number: BlockNumber) -> Result<Digest, ReadError> {
        self.inner
            .rpc
            .block_hash(number)
            .await?
            .ok_or_else(|| ReadError::UnknownBlock {
                block: number.to_string(),
            })
    }

    /// What binds signatures of peer-to-peer messages to this chain and `netuid`.
    pub fn signing_context(&self, netuid: NetUid) -> SigningContext {
        SigningContext {
            genesis: self.inner.genesis,
            netuid,
        }
    }

    /// The latest finalized block.
    pub async fn finalized(&self) -> Result<BlockRef, ReadError> {
        self.inner.rpc.finalized().await
    }

    /// Free balance of an account.
    pub async fn balance(&self, of: &Hotkey) -> Result<Rao, ReadError> {
        let state = self.state(None).await?;
        let mut batch = state.batch();
        let ask = batch.ask::<AccountInfo>(items::ACCOUNT, (account(of),))?;
        let info = batch.send().await?.get(ask)?;
        Ok(Rao(info.map_or(0, |info| info.data.free)))
    }

    pub(crate) fn rpc(&self) -> &Rpc {
        &self.inner.rpc
    }

    pub(crate) fn online(&self) -> &OnlineClient<SubstrateConfig> {
        &self.inner.online
    }

    /// Another Substrate chain behind the address should be an error here, not at the first weights.
    async fn check_runtime(&self) -> Result<(), ReadError> {
        const NEEDED: [Item; 2] = [items::TEMPO, items::COMMITMENT_OF];
        let state = self.state(None).await?;
        let batch = state.batch();
        match NEEDED.iter().find(|item| !batch.knows(&[**item])) {
            Some(item) => Err(ReadError::UnknownName {
                pallet: item.pallet.to_owned(),
                name: item.name.to_owned(),
            }),
            None => Ok(()),
        }
    }
}

/// `System.Account`, as far as it is used.
#[derive(DecodeAsType)]
pub(crate) struct AccountInfo {
    pub(crate) nonce: u32,
    pub(crate) data: AccountData,
}

/// Balances of an account, in rao.
#[derive(DecodeAsType)]
pub(crate) struct AccountData {
    pub(crate) free: u64,
}
