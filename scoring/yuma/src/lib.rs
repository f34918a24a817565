//! Compute Yuma Consensus in the chain's own fixed point.
//!
//! [`epoch`] takes what a subnet has in storage when its epoch comes due ([`Params`], [`State`]) and returns what the
//! chain stores afterwards ([`Outcome`]). It is a pure function over integers: no clock, no storage, no floating point,
//! and it never panics, whatever the input. Every output equals, bit for bit, the one that Subtensor's own code
//! (commit `14bc6f9f`, the sparse path that the chain runs) gives from the same state; the vectors under
//! `tests/vectors` were recorded from that code.
//!
//! Compare with a directory of recorded vectors, and time the epoch against a plain transcription of the rules:
//!
//! ```text
//! cargo run --release -p athanor-yuma --example yuma-vectors -- scoring/yuma/tests/vectors
//! cargo bench -p athanor-yuma --bench epoch
//! ```

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

// What goes in and what comes out.
mod outcome;
mod params;
mod state;

// When an epoch runs, and what it does.
mod epoch;
pub mod schedule;

// The steps of an epoch, in order.
mod activity;
mod stake;

mod permits;

mod weights;

mod consensus;

mod clip;

mod bonds;

mod emission;

// Numbers and tables that the steps share.
mod exponential;
mod fixed;
mod lane;
mod rows;

pub use epoch::epoch;
pub use outcome::Outcome;
pub use params::{LiquidAlpha, Params};
pub use state::{Commit, State};
