//! Compile the subnet's chain rules as a FRAME runtime.
//!
//! Pallets, calls, storage items, events, errors and runtime APIs carry the names, indices and types that Bittensor's
//! own chain gives them, so that its clients read this chain like any other. The rules are written anew, for the part
//! of the chain that a subnet needs: stake is worth its TAO one to one (`SubnetMechanism` 0), stake on root buys votes
//! and no dividends, nothing is locked, and there is one mechanism per subnet.
//!
//! The runtime never reads a clock or the network: given the parent state and the extrinsics, a block is determined.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod admin;
pub mod aura;
pub mod commitments;
pub mod drand;
pub mod extensions;
pub mod fixed;
pub mod subtensor;

mod apis;
mod rpc_info;
mod runtime;

pub use apis::api;
pub use fixed::I96F32;
use pallet_transaction_payment_rpc_runtime_api::RuntimeDispatchInfo;
pub use rpc_info::{
    AxonInfo, ChainIdentityV2, DelegateInfo, Delegated, DynamicInfo, HyperparamEntry,
    HyperparamValue, Metagraph, NeuronInfo, NeuronInfoLite, PrometheusInfo, SelectiveMetagraph,
    SimSwapResult, StakeAvailabilities, StakeAvailability, StakeInfo, SubnetHyperparams,
    SubnetHyperparamsV2, SubnetIdentityV3, SubnetInfo, SubnetInfov2, SubnetPrice, SubnetState,
};
pub use runtime::*;
pub use sp_version::RuntimeVersion;

/// Weight, class and fee of an extrinsic, as `TransactionPaymentApi_query_info` answers.
pub type DispatchFee = RuntimeDispatchInfo<Balance>;
