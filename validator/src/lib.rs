//! Ask, audit, grade, and set weights.
//!
//! A round is one epoch of the chain: [`seed`] draws its secret, [`plan`] turns the secret into asks, [`ask`] sends
//! them, [`audit`] replays the answers, [`book`] keeps what was found, and [`run`] holds it together.

pub mod alarms;
pub mod archive;
pub mod artifacts;
pub mod ask;
pub mod audit;
mod battery;
pub mod book;
pub mod calibrate;
pub mod cli;
pub mod config;
pub mod control;
pub mod explain;
pub mod export;
mod finding;
pub mod gateway;
pub mod likeness;
mod moment;
pub mod plan;
pub mod power;
pub mod pressure;
pub mod probe;
#[cfg(test)]
mod random_models;
pub mod round;
pub mod run;
pub mod seed;
mod shelf;
pub mod siblings;
pub mod signer;
mod stall;
pub mod status;
pub mod teacher;
mod verdict;
pub mod verify;
pub mod watch;

pub use config::{RunError, StartError, Submission, ValidatorConfig};
pub use run::{Validator, start};
