//! Command-line groups, to be flattened into a daemon's own arguments.
//!
//! Options are spelt as bittensor's own tools spell them (`--wallet.name`), with dashes as an alias (`--wallet-name`). A
//! flag wins over its `BT_*` environment variable, and that over the default.

mod axon;
mod bytes;
mod feed;
mod logging;
mod metrics;
mod network;
mod subnet;
mod subtensor;
mod wallet;

pub use axon::{AxonArgs, ExternalArgs};
pub use bytes::{Bytes, bytes};
pub use feed::{FeedArgs, FeedArgsError};
pub use logging::LoggingArgs;
pub use metrics::MetricsArgs;
pub use network::NetworkArgs;
pub use subnet::{SpecFileError, SubnetArgs};
pub use subtensor::SubtensorArgs;
pub use wallet::WalletArgs;

use clap::Args;

/// Who, where, by which rules.
#[derive(Args, Clone, Debug)]
pub struct NodeArgs {
    /// Which chain
    #[command(flatten)]
    pub subtensor: SubtensorArgs,
    /// Which keys
    #[command(flatten)]
    pub wallet: WalletArgs,
    /// Which subnet
    #[command(flatten)]
    pub subnet: SubnetArgs,
}

#[cfg(test)]
mod tests;
