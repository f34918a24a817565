//! The transaction extensions that differ from Substrate's own.
//!
//! Clients sign over a fixed list of extensions and look them up by name, so all of Bittensor's are present and in
//! order. Those without a role here are empty.

mod foreign;
mod nonce;
mod pool;

pub use foreign::{CheckMetadataHash, DrandPriority, Mode, SudoTransactionExtension};
pub use nonce::CheckNonce;
pub use pool::SubtensorTransactionExtension;
