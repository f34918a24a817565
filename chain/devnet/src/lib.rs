//! Run a one-process chain with the subnet's rules.
//!
//! The runtime is compiled into the process and runs natively: no WASM, no peers. Clients see a chain like any other,
//! through Substrate's JSON-RPC on a WebSocket. It lives in memory, or in a directory from which it continues after
//! whatever stopped it. Any number of devnets can live in one process.
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

mod beacon;
mod chain;
mod chain_spec;
mod config;
mod connections;
mod development;
mod executor;
mod faults;
mod genesis;
mod history;
mod ledger;
mod pool;
mod rpc;
mod sealing;
mod server;
mod store;
#[cfg(test)]
mod testing;
mod workers;

pub use athanor_runtime::subtensor::{NeuronGenesis, SubnetGenesis};
pub use chain::BuildError;
pub use chain_spec::{SpecError, chain_spec};
pub use config::{Clock, Config, Keep, Limits, Sealing, TAO};
pub use development::{AccountBytes, development_account, development_pair, sign};
pub use genesis::{Genesis, GenesisError, PatchError};
pub use pool::SubmitError;
pub use server::{Devnet, QueryError, SpawnError, spawn};
pub use store::StoreError;
