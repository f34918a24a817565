//! Serve a student and keep distilling it.
//!
//! [`start`] builds a miner out of parts that own their state and meet over bounded channels:
//!
//! - the network (`athanor-net`) carries requests in and responses out;
//! - the server decides who is served ([`admission`]) and lets the [`Backend`] draw the tokens;
//! - the publisher follows the chain's blocks: it keeps the roster of validators, commits new checkpoints on chain and
//!   swaps them into the engine between two epochs;
//! - the trainer, on a thread of its own, distils while the miner is not busy serving.
//!
//! A miner whose part fails ends as a whole and says which ([`Miner::join`]).

#![deny(missing_docs)]

pub mod admission;
mod announce;
mod backend;
mod behaviour;
mod canary;
mod config;
pub mod control;
mod deltas;
mod disk;
mod distillery;
mod history;
mod miner;
mod publish;
mod quota;
pub mod rollback;
mod serve;
pub mod service;
mod status;
mod store;
mod tally;

pub use backend::{Backend, Draft};
pub use behaviour::{Behaviour, Drafting};
pub use config::{DistillSettings, EngineSettings, MinerConfig, StartError, Tunables, Upkeep};
pub use distillery::Progress;
pub use miner::{Miner, RunError, start};
pub use publish::{PublishError, Publisher, lead};
pub use status::Status;
pub use store::{CheckpointRefused, checkpoints};
pub use tally::{Counts, Refused};

#[cfg(test)]
mod tests;
