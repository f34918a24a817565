//! Start and stop a devnet.

use std::{io, net::SocketAddr, sync::Arc};

use jsonrpsee::server::{
    BatchRequestConfig, RandomStringIdProvider, ServerBuilder, ServerConfig, ServerHandle,
};
use thiserror::Error;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    chain::{BuildError, Chain},
    config::Config,
    genesis::GenesisError,
    rpc,
    sealing::Sealer,
    workers::Workers,
};

/// Most clients at a time.
const MAX_CONNECTIONS: u32 = 256;
/// Largest answer: metadata and listings of large maps stay well below.
const MAX_RESPONSE_BYTES: u32 = 64 << 20;
/// Largest request: an extrinsic is smaller than a block.
const MAX_REQUEST_BYTES: u32 = 16 << 20;
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
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
}

/// A running devnet. Dropping it stops it without waiting.
pub struct Devnet {
    addr: SocketAddr,
    sealer: Sealer,
    server: ServerHandle,
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
    } = config;
    let bind = |source| SpawnError::Bind {
        addr: listen,
        source,
    };
    let settings = ServerConfig::builder()
        .max_connections(MAX_CONNECTIONS)
        .max_response_body_size(MAX_RESPONSE_BYTES)
        .max_request_body_size(MAX_REQUEST_BYTES)
        .set_message_buffer_capacity(MESSAGE_BUFFER)
        .set_batch_request_config(BatchRequestConfig::Limit(1_024))
        .set_id_provider(RandomStringIdProvider::new(16))
        .build();
    let server = ServerBuilder::with_config(settings)
        .build(listen)
        .await
        .map_err(bind)?;
    let addr = server.local_addr().map_err(bind)?;

    let workers = Workers::start().map_err(SpawnError::Thread)?;
    let built = workers.run(move || Chain::new(clock, &genesis)).await;
    let chain = Arc::new(built.map_err(|_| SpawnError::Thread(io::ErrorKind::Other.into()))??);
    let sealer = Sealer::start(chain.clone()).map_err(SpawnError::Thread)?;
    let stop = CancellationToken::new();
    let sealing = tokio::spawn(sealer.clone().run(chain.clone(), sealing, stop.clone()));
    let server = server.start(rpc::module(chain, workers));
    Ok(Devnet {
        addr,
        sealer,
        server,
        sealing,
        stop,
    })
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

    /// Stops making blocks, closes all connections and waits until both are done.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        // Fails only if the server has ended already.
        let _ = self.server.stop();
        self.server.clone().stopped().await;
        // The task ends by the token; if it panicked, there is nothing left to stop.
        let _ = (&mut self.sealing).await;
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
