//! Run a one-process chain with the subnet's rules.

mod config;

pub use config::{
    AccountBytes, Clock, Config, Genesis, NeuronGenesis, Sealing, SubnetGenesis, TAO,
    development_account, development_pair,
};
