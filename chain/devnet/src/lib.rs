//! Run a one-process chain with the subnet's rules.
//!
//! The runtime is compiled into the process and runs natively: no WASM, no network, no disk. Clients see a chain like
//! any other, through Substrate's JSON-RPC on a WebSocket. Any number of devnets can live in one process.
//!
//! ```no_run
//! use std::time::Duration;
//! use athanor_devnet::{Config, Genesis, spawn};
//!
//! # async fn example() -> Result<(), athanor_devnet::SpawnError> {
//! let devnet = spawn(Config::deterministic(Genesis::development(Duration::from_secs(12)))).await?;
//! println!("listening on {}", devnet.url());
//! devnet.seal(3).await;
//! devnet.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod chain;
mod config;
mod executor;
mod genesis;
mod history;
mod ledger;
mod pool;
mod rpc;
mod sealing;
mod server;
#[cfg(test)]
mod testing;
mod workers;

pub use chain::BuildError;
pub use config::{
    AccountBytes, Clock, Config, Genesis, NeuronGenesis, Sealing, SubnetGenesis, TAO,
    development_account, development_pair,
};
pub use genesis::GenesisError;
pub use server::{Devnet, SpawnError, spawn};
