//! Compile the subnet's chain rules as a FRAME runtime.
//!
//! Pallets, calls, storage items, events, errors and runtime APIs carry the names, indices and types that Bittensor's
//! own chain gives them, so that its clients read this chain like any other. The rules are written anew, for the part
//! of the chain that a subnet needs: stake is worth its TAO one to one (`SubnetMechanism` 0), stake on root buys votes
//! and no dividends, nothing is locked, and there is one mechanism per subnet.
//!
//! The runtime never reads a clock or the network: given the parent state and the extrinsics, a block is determined.
#![cfg_attr(not(feature = "std"), no_std)]
#![allow(
    missing_docs,
    reason = "the macro that joins the pallets documents nothing of what it generates"
)]

extern crate alloc;

#[deny(missing_docs)]
pub mod admin;
#[deny(missing_docs)]
pub mod aura;
#[deny(missing_docs)]
pub mod commitments;
#[deny(missing_docs)]
pub mod drand;
#[deny(missing_docs)]
pub mod extensions;
#[deny(missing_docs)]
pub mod fixed;
#[deny(missing_docs)]
pub mod subtensor;

mod apis;
mod rpc_info;
mod runtime;

// Where there is a standard library its prelude has it; the runtime's macro below names it either way.
#[cfg(not(feature = "std"))]
use alloc::vec::Vec;

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

// Here and not in a module of its own, because clients know the type of events by its path: `athanor_runtime::RuntimeEvent`
// is one that the Python libraries decode, with a third segment it would not be.
#[frame_support::runtime]
mod runtime {
    /// The chain's rules.
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask,
        RuntimeViewFunction
    )]
    pub struct Runtime;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(2)]
    pub type Timestamp = pallet_timestamp;
    #[runtime::pallet_index(3)]
    pub type Aura = crate::aura;
    #[runtime::pallet_index(5)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(6)]
    pub type TransactionPayment = pallet_transaction_payment;
    #[runtime::pallet_index(7)]
    pub type SubtensorModule = crate::subtensor;
    #[runtime::pallet_index(11)]
    pub type Utility = pallet_utility;
    #[runtime::pallet_index(12)]
    pub type Sudo = pallet_sudo;
    #[runtime::pallet_index(18)]
    pub type Commitments = crate::commitments;
    #[runtime::pallet_index(19)]
    pub type AdminUtils = crate::admin;
    #[runtime::pallet_index(26)]
    pub type Drand = crate::drand;
}
