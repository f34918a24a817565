//! Run a daemon.
//!
//! What miner and validator share: command-line groups in bittensor's spelling, logs, metrics, an orderly end, and the feed
//! of events that watchers read.

mod amount;
pub mod args;
pub mod axon;
pub mod backup;
mod blocking;
pub mod control;
pub mod feed;
pub mod http;
pub mod lock;
pub mod logging;
pub mod metrics;
pub mod overview;
pub mod register;
pub mod reload;
pub mod settings;
pub mod shutdown;
pub mod signer;
pub mod specs;
mod token;
pub mod wallet;

pub use args::{
    AxonArgs, ExternalArgs, FeedArgs, LoggingArgs, MetricsArgs, NetworkArgs, NodeArgs, SubnetArgs,
    SubtensorArgs, WalletArgs,
};
pub use blocking::blocking;
pub use feed::Feed;
pub use metrics::Metrics;
pub use settings::{ConfigArgs, Settings};
