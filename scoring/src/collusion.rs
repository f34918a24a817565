//! Look for what members of a subnet do together or instead of each other: shared machines, copied weights, cabals.
//!
//! Each test states its null, its statistic, its correction and what it may do in its own file; [`population`] draws the
//! honest and dishonest populations that its rates are measured on, by `cargo run -p athanor-scoring --example
//! collusion-power`, whose table stands in `docs/similarity.md`. Nothing here changes pay.

pub mod battery;
pub mod cabal;
pub mod latency;
pub mod lazy;
pub mod leak;
pub mod population;
pub mod shared_backend;
pub mod watched;
pub mod weight_copying;

/// A pair of members, the smaller index first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Pair {
    /// Index of the one.
    pub a: usize,
    /// Index of the other.
    pub b: usize,
}

/// Number of pairs among `members`.
pub fn pairs(members: usize) -> u64 {
    let members = members as u64;
    members * members.saturating_sub(1) / 2
}
