//! What is stored: names, hashers, types and defaults are Bittensor's.

pub(super) mod chain;
pub(super) mod commits;
pub(super) mod family;
pub(super) mod hyperparameters;
pub(super) mod locks;
pub(super) mod neurons;
pub(super) mod stake;
pub(super) mod subnets;
