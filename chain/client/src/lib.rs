//! Read the metagraph and submit weights.
//!
//! One client for the local devnet and for Bittensor's own networks. Names of pallets, calls and storage items are looked
//! up in the metadata that the node serves, and values are decoded by field name, so a runtime that adds fields or items
//! needs no new build. The client reconnects by itself; every read and every submission has a deadline, so a dead node is
//! an error that says so and never a hang.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use athanor_chain::Client;
//! use athanor_spec::NetUid;
//!
//! let client = Client::connect("local").await?;
//! let metagraph = client.metagraph(NetUid(1)).await?;
//! for neuron in &metagraph.neurons {
//!     println!("{} {} earned {} TAO", neuron.uid, neuron.hotkey, neuron.emission);
//! }
//! # Ok(())
//! # }
//! ```

mod block;
mod calls;
mod client;
mod commitment;
mod contract;
mod endpoint;
mod extrinsics;
#[cfg(test)]
mod finney;
mod hyperparameters;
mod items;
mod metagraph;
mod owner;
mod patience;
mod publication;
mod registration;
mod rpc;
mod schedule;
mod serving;
pub mod signer;
mod staking;
mod state;
mod submit;
mod timelock;
mod transport;
mod votes;
pub mod wallet;
mod weights;

pub use block::{BlockRef, BlocksError};
pub use calls::CallNames;
pub use client::{Client, ConnectError};
pub use endpoint::{Endpoint, Endpoints, ParseEndpointError};
pub use extrinsics::{BlockContent, EventSummary, ExtrinsicSummary};
pub use hyperparameters::Hyperparameters;
pub use metagraph::{Change, Metagraph, Neuron};
pub use owner::{ChildrenError, Hyperparameter, OwnerError};
pub use patience::Patience;
pub use publication::Publication;
pub use registration::RegisterError;
pub use rpc::ReadError;
pub use schedule::EpochSchedule;
pub use serving::{CommitError, ServeError};
pub use signer::{SignError, Signer};
pub use staking::StakeError;
pub use submit::{Included, Quote, SubmitError};
pub use timelock::{Beacon, OpenError, SealError, TimelockedWeights};
pub use transport::Connection;
pub use votes::{Commit, Row, Votes};
pub use wallet::{Wallet, WalletError};
pub use weights::{
    Countdown, JournalError, Progress, Protocol, SetWeightsError, Tick, WeightLimits, WeightSetter,
    WeightsSet,
};
