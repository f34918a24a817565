//! Answer clients' questions about neurons and subnets in one call each.

pub(crate) mod api;
mod metagraph;
mod neurons;
mod stakes;

pub use crate::subtensor::{AxonInfo, PrometheusInfo};
pub use metagraph::{ChainIdentityV2, I96F32, Metagraph, SubnetIdentityV3};
pub use neurons::{NeuronInfo, NeuronInfoLite};
pub use stakes::StakeInfo;
