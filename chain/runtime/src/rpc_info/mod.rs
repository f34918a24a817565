//! Answer clients' questions about neurons and subnets in one call each.

pub(crate) mod api;
mod neurons;

pub use crate::subtensor::{AxonInfo, PrometheusInfo};
pub use neurons::{NeuronInfo, NeuronInfoLite};
