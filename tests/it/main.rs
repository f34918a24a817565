//! Whole-subnet tests.

mod chain;
mod miner;
