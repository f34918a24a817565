//! Answer clients' questions about neurons and subnets in one call each.

pub(crate) mod api;
mod delegates;
mod hyperparameters;
mod metagraph;
mod neurons;
mod selective;
mod stakes;
mod subnets;
mod swap;

pub use crate::subtensor::{AxonInfo, ChainIdentityV2, PrometheusInfo, SubnetIdentityV3};
pub use delegates::{DelegateInfo, Delegated};
pub use hyperparameters::{
    HyperparamEntry, HyperparamValue, SubnetHyperparams, SubnetHyperparamsV2,
};
pub use metagraph::Metagraph;
pub use neurons::{NeuronInfo, NeuronInfoLite};
pub use selective::SelectiveMetagraph;
pub use stakes::{StakeAvailabilities, StakeAvailability, StakeInfo};
pub use subnets::{DynamicInfo, SubnetInfo, SubnetInfov2, SubnetState};
pub use swap::{SimSwapResult, SubnetPrice};
