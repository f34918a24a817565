//! Run a whole subnet, honest and dishonest, in one process.
//!
//! [`roster`] says who takes part, [`chain`] makes them part of a local chain, [`models`] gives each a model,
//! [`subnet`] starts them, [`watch`] follows the chain and keeps the [`report`]. The cheats are in [`adversary`], and
//! [`red_team`] measures whether they pay; [`agreement`] measures how far two validators rank honest miners alike.

pub mod adversary;
pub mod agreement;
pub mod chain;
pub mod error;
pub mod ground;
pub mod models;
pub mod red_team;
pub mod report;
pub mod roster;
pub mod run;
pub mod settings;
pub mod subnet;
pub mod watch;

pub use error::LocalnetError;
pub use subnet::Subnet;
