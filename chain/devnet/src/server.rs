//! Start and stop a devnet.

use std::{io, net::SocketAddr, sync::Arc};

use jsonrpsee::server::{
    BatchRequestConfig, RandomStringIdProvider, ServerConfig, ServerHandle, stop_channel,
};
use sp_core::H256;
use thiserror::Error;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    chain::{BuildError, Chain, OpenError},
    config::{Config, Limits},
    connections, executor,
    faults::Faults,
    genesis::GenesisError,
    pool::SubmitError,
    rpc,
    sealing::Sealer,
    store::StoreError,
    workers::Workers,
};

/// Notifications that a slow client may have outstanding.
const MESSAGE_BUFFER: u32 = 4_096;

/// A devnet did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}; choose another address, or port 0 for a free one")]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The genesis makes no sense.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The chain cannot be kept on disk, or is not the one that is there.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
}

impl From<OpenError> for SpawnError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Genesis(error) => error.into(),
            OpenError::Store(error) => error.into(),
        }
    }
}

/// A running devnet. Dropping it stops it without waiting.
pub struct Devnet {
    addr: SocketAddr,
    genesis: H256,
    chain: Arc<Chain>,
    workers: Workers,
    sealer: Sealer,
    server: ServerHandle,
    serving: JoinHandle<()>,
    sealing: JoinHandle<()>,
    stop: CancellationToken,
}

/// Starts a devnet; it listens when this returns.
pub async fn spawn(config: Config) -> Result<Devnet, SpawnError> {
    let Config {
        listen,
        sealing,
        clock,
        genesis,
        base_path,
        keep,
        limits,
        faults: faults_allowed,
    } = config;
    let bind = |source| SpawnError::Bind {
        addr: listen,
        source,
    };
    let listener = TcpListener::bind(listen).await.map_err(bind)?;
    let addr = listener.local_addr().map_err(bind)?;

    let workers = Workers::start(limits.queue).map_err(SpawnError::Thread)?;
    let faults = Arc::new(Faults::default());
    let opening = {
        let faults = faults.clone();
        move || Chain::open(clock, &genesis, keep, base_path.as_deref(), faults)
    };
    let opened = workers.run(opening).await;
    let chain = Arc::new(opened.map_err(|_| SpawnError::Thread(io::ErrorKind::Other.into()))??);
    let sealer = Sealer::start(chain.clone()).map_err(SpawnError::Thread)?;
    let stop = CancellationToken::new();
    let sealing = tokio::spawn(sealer.clone().run(chain.clone(), sealing, stop.clone()));
    let methods = rpc::module(chain.clone(), workers.clone(), faults_allowed).into();
    let (stopped, server) = stop_channel();
    let serving = connections::serve(listener, settings(limits), methods, faults, stopped);
    Ok(Devnet {
        addr,
        genesis: chain.read(|ledger| ledger.genesis_hash()),
        chain,
        workers,
        sealer,
        server,
        serving: tokio::spawn(serving),
        sealing,
        stop,
    })
}

fn settings(limits: Limits) -> ServerConfig {
    ServerConfig::builder()
        .max_connections(limits.connections)
        .max_subscriptions_per_connection(limits.subscriptions)
        .max_request_body_size(limits.request_bytes)
        .max_response_body_size(limits.response_bytes)
        .set_batch_request_config(BatchRequestConfig::Limit(limits.batch))
        .set_message_buffer_capacity(MESSAGE_BUFFER)
        .set_id_provider(RandomStringIdProvider::new(16))
        .build()
}

/// A runtime call gave no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    /// The runtime has no such entry point, or panicked.
    #[error("{0}")]
    Call(String),
    /// The devnet is shutting down, or has too much to do.
    #[error("the devnet is busy or shutting down")]
    Busy,
}

impl Devnet {
    /// Where clients connect, as `ws://address:port`.
    pub fn url(&self) -> String {
        format!("ws://{}", self.addr)
    }

    /// The address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Hash of block 0, which every signature covers.
    pub fn genesis_hash(&self) -> H256 {
        self.genesis
    }

    /// Submits an extrinsic (with its length prefix) to the pool, and returns its hash.
    pub async fn submit(&self, extrinsic: Vec<u8>) -> Result<H256, SubmitError> {
        let chain = self.chain.clone();
        let submitted = self.workers.run(move || chain.submit(extrinsic, None));
        submitted.await.unwrap_or(Err(SubmitError::Full))
    }

    /// Calls the runtime over the newest state: `method` as in `NeuronInfoRuntimeApi_get_neurons_lite`, with its encoded
    /// arguments; the answer is encoded as well.
    pub async fn query(&self, method: &str, arguments: Vec<u8>) -> Result<Vec<u8>, QueryError> {
        let chain = self.chain.clone();
        let method = method.to_owned();
        let call = move || {
            let state = chain.read(|ledger| ledger.best_state());
            executor::query(&state, &method, &arguments)
        };
        let answer = self.workers.run(call).await;
        answer
            .map_err(|_| QueryError::Busy)?
            .map_err(|error| QueryError::Call(error.to_string()))
    }

    /// Makes `count` blocks at once, whatever the sealing is.
    ///
    /// # Panics
    ///
    /// If the runtime cannot make a block, which is a fault of the chain and not of its users.
    pub async fn seal(&self, count: u32) {
        if let Err(error) = self.try_seal(count).await {
            panic!("{error}");
        }
    }

    /// Makes `count` blocks at once, whatever the sealing is.
    pub async fn try_seal(&self, count: u32) -> Result<(), BuildError> {
        self.sealer.seal(count).await
    }

    /// Stops making blocks, closes all connections and the directory that the chain is kept in, and waits until that is
    /// done.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        // Fails only if the server has ended already.
        let _ = self.server.stop();
        // The tasks end by their tokens; if one panicked, there is nothing left to stop.
        let _ = (&mut self.serving).await;
        let _ = (&mut self.sealing).await;
        let chain = self.chain.clone();
        // Fails only if this process has no thread to spare; then the file closes with the last handle.
        let _ = tokio::task::spawn_blocking(move || chain.close()).await;
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        self.stop.cancel();
        let _ = self.server.stop();
    }
}

#[cfg(test)]
mod tests;
