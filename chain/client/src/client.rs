//! The handle that everything else hangs off.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use athanor_spec::{BlockNumber, Digest, Hotkey, NetUid, Rao, SigningContext};
use scale_decode::DecodeAsType;
use subxt::{OnlineClient, SubstrateConfig, backend::LegacyBackend, rpcs::RpcClient};
use thiserror::Error;

use crate::{
    BlockRef, Connection, Endpoint, Endpoints, ParseEndpointError, Patience, ReadError, contract,
    items,
    rpc::Rpc,
    state::{BLOCK_TIME_MS, State, account},
    transport::{Failover, Shared},
};

/// Why a chain could not be connected to.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The endpoint is misspelt.
    #[error(transparent)]
    Endpoint(#[from] ParseEndpointError),
    /// Nobody answers there.
    #[error(
        "no chain answers at {}: start one (`athanor-devnet`), or give another endpoint",
        attempts(tried)
    )]
    Unreachable {
        /// The addresses that were tried, each with the reason of its failure.
        tried: Vec<(Endpoint, Box<dyn std::error::Error + Send + Sync>)>,
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
    /// The newest version of the runtime that was held against what this build knows.
    checked: AtomicU32,
    /// Milliseconds between two blocks, as that runtime says.
    block_time: AtomicU64,
    /// The hotkeys of each subnet's last metagraph, to ask about together with the next one.
    hotkeys: Mutex<HashMap<NetUid, Vec<Hotkey>>>,
}

impl Client {
    /// Connects to `endpoints`: a WebSocket address or the name of a network (`local`, `finney`, `test`, `archive`), or
    /// several of them with commas in between, which take over from each other.
    ///
    /// Fails at once if nobody answers, or if the chain's runtime is not what this build knows; later disconnections are
    /// waited out.
    pub async fn connect(endpoints: &str) -> Result<Self, ConnectError> {
        Self::open(endpoints.parse()?).await
    }

    /// As [`Client::connect`], with addresses that are parsed already.
    pub async fn open(endpoints: Endpoints) -> Result<Self, ConnectError> {
        Self::open_with(endpoints, Patience::default()).await
    }

    /// As [`Client::open`], with other times to wait.
    pub async fn open_with(endpoints: Endpoints, patience: Patience) -> Result<Self, ConnectError> {
        let transport = match Failover::connect(endpoints).await {
            Ok(transport) => Arc::new(transport),
            Err(failures) => {
                let tried = failures
                    .into_iter()
                    .map(|(endpoint, error)| (endpoint, error.into()))
                    .collect();
                return Err(ConnectError::Unreachable { tried });
            }
        };
        let genesis = transport.genesis();
        let rpc = Rpc::new(transport.clone(), patience);
        let backend = LegacyBackend::builder().build(RpcClient::new(Shared(transport)));
        let config = SubstrateConfig::builder()
            .set_genesis_hash(genesis.0.into())
            .build();
        let online = OnlineClient::from_backend_with_config(config, Arc::new(backend))
            .await
            .map_err(|error| ConnectError::Unreachable {
                tried: vec![(rpc.endpoint().clone(), Box::new(error))],
            })?;
        let client = Self {
            inner: Arc::new(Inner {
                rpc,
                online,
                genesis,
                checked: AtomicU32::new(0),
                block_time: AtomicU64::new(BLOCK_TIME_MS),
                hotkeys: Mutex::default(),
            }),
        };
        // Reads metadata, and so finds out whether this is a chain of ours.
        client.state(None).await?;
        Ok(client)
    }

    /// The address of the node in use.
    pub fn endpoint(&self) -> &Endpoint {
        self.inner.rpc.endpoint()
    }

    /// How the connection fares.
    pub fn connection(&self) -> Connection {
        self.inner.rpc.connection()
    }

    /// Time from one block to the next, as the chain means it to be.
    pub fn block_time(&self) -> Duration {
        Duration::from_millis(self.inner.block_time.load(Ordering::Relaxed))
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

    pub(crate) fn hotkeys_of(&self, netuid: NetUid) -> Vec<Hotkey> {
        let known = self.inner.hotkeys.lock();
        let known = known.unwrap_or_else(PoisonError::into_inner);
        known.get(&netuid).cloned().unwrap_or_default()
    }

    pub(crate) fn remember_hotkeys(&self, netuid: NetUid, hotkeys: Vec<Hotkey>) {
        let known = self.inner.hotkeys.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        known.insert(netuid, hotkeys);
    }

    pub(crate) fn rpc(&self) -> &Rpc {
        &self.inner.rpc
    }

    pub(crate) fn online(&self) -> &OnlineClient<SubstrateConfig> {
        &self.inner.online
    }

    pub(crate) fn patience(&self) -> Patience {
        self.inner.rpc.patience()
    }

    /// Holds a runtime that is newer than those before against what this build knows: another chain behind the address, or
    /// an upgrade that changed what we use, should be an error here and not at the first weights.
    ///
    /// Until it fits, every read ends with that error. Older runtimes, at old blocks, were checked in their time.
    pub(crate) fn check_runtime(&self, state: &State) -> Result<(), ReadError> {
        let version = state.at().spec_version();
        let known = self.inner.checked.load(Ordering::Relaxed);
        if version <= known && known > 0 {
            return Ok(());
        }
        contract::check(state.at().metadata_ref())?;
        let block_time = state.block_time_ms();
        self.inner.block_time.store(block_time, Ordering::Relaxed);
        let before = self.inner.checked.fetch_max(version, Ordering::Relaxed);
        if before > 0 && before < version {
            tracing::info!(
                from = before,
                to = version,
                "the chain's runtime was upgraded, and fits"
            );
        }
        Ok(())
    }
}

fn attempts(tried: &[(Endpoint, Box<dyn std::error::Error + Send + Sync>)]) -> String {
    let each: Vec<String> = tried
        .iter()
        .map(|(endpoint, reason)| format!("{endpoint} ({reason})"))
        .collect();
    each.join(", ")
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
