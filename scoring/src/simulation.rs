//! Run a subnet for thousands of epochs without a network: who earns what under a spec.
//!
//! What is drawn at random are sums of what a validator's round measures of a miner. Everything after that is the code that
//! validators and the chain run: prompts are shared out by [`crate::width`], rounds are settled by [`crate::round::settle`]
//! (ledger, faults, grades, crown, allocation), rows are committed and revealed with the chain's delay, and every epoch ends
//! with [`athanor_yuma::epoch`]. There is no second implementation of any of it.
//!
//! Randomness comes from the seed, the epoch, and the validator that draws, so neither the number of threads nor their
//! order changes a bit.

mod accounts;
mod chain;
mod drawn;
mod engine;
mod outcome;
mod population;
pub mod published;
mod random;
mod summary;
mod validator;
mod world;

pub use engine::Simulation;
pub use outcome::{GroupOutcome, Outcome, gini, nakamoto};
pub use population::{
    ChainRules, Liquid, MinerGroup, Noise, Population, PopulationError, Range, SkillRange,
    ValidatorGroup,
};
pub use summary::{Interval, interval};

/// The behaviour of a group that plays by the rules.
pub const HONEST: &str = "honest";

#[cfg(test)]
mod tests;
