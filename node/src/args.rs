//! Command-line groups, to be flattened into a daemon's own arguments.
//!
//! Options are spelt as bittensor's own tools spell them (`--wallet.name`), with dashes as an alias (`--wallet-name`). A
//! flag wins over its `BT_*` environment variable, and that over the default.

mod logging;
mod subnet;
mod subtensor;
mod wallet;

pub use logging::LoggingArgs;
pub use subnet::{SpecFileError, SubnetArgs};
pub use subtensor::SubtensorArgs;
pub use wallet::WalletArgs;

#[cfg(test)]
mod tests;
