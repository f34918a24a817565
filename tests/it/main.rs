//! Whole-subnet tests.

// Clippy's exemption for tests stops at the functions that tests share.
#![allow(clippy::unwrap_used)]

use tokio::sync::Mutex;

mod agreement;
mod binary;
mod chain;
mod check;
mod crash;
mod failover;
mod gateway;
mod hedge;
mod hostile;
mod kill;
mod load;
mod metagraph;
mod metrics;
mod miner;
mod mistakes;
mod network;
mod once;
mod openai;
mod operator;
mod owner;
mod red_team;
mod relay;
mod rig;
mod rude;
mod signals;
mod signer;
mod subnet;
mod transcript;
mod verbs;
mod weights;
mod wire;

/// Held by tests that run a whole subnet: two at once on a small machine would measure each other.
static ONE_SUBNET: Mutex<()> = Mutex::const_new(());
