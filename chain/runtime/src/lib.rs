//! Compile the subnet's chain rules as a FRAME runtime.
//!
//! Pallets, calls, storage items, events, errors and runtime APIs carry the names, indices and types that Bittensor's
//! own chain gives them, so that its clients read this chain like any other. The rules are written anew, for the part
//! of the chain that one subnet needs: stake is worth its TAO one to one (`SubnetMechanism` 0), there is no root
//! subnet, no child hotkeys and one mechanism per subnet.
//!
//! The runtime never reads a clock or the network: given the parent state and the extrinsics, a block is determined.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod aura;
pub mod commitments;
pub mod extensions;
pub mod fixed;
pub mod subtensor;

mod apis;
mod rpc_info;
mod runtime;

pub use apis::api;
use pallet_transaction_payment_rpc_runtime_api::RuntimeDispatchInfo;
pub use rpc_info::{
    AxonInfo, ChainIdentityV2, I96F32, Metagraph, NeuronInfo, NeuronInfoLite, PrometheusInfo,
    StakeInfo, SubnetIdentityV3,
};
pub use runtime::*;
pub use sp_version::RuntimeVersion;

/// Weight, class and fee of an extrinsic, as `TransactionPaymentApi_query_info` answers.
pub type DispatchFee = RuntimeDispatchInfo<Balance>;
