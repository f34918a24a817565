//! Keep one subnet's neurons, stake, weights and pay: the pallet that clients know as `SubtensorModule`.
//!
//! Every block starts with [`Pallet::block_step`]: registration prices decay, each started subnet mints its emission
//! into its pending pots, and a subnet whose epoch is due runs Yuma Consensus and stakes the pots on its neurons'
//! hotkeys. Extrinsics follow, so weights that are set in the block of an epoch count in the next one.
#![allow(
    clippy::too_many_arguments,
    reason = "the arguments of the calls are Bittensor's"
)]

mod coinbase;
mod epoch;
mod registration;
mod serving;
mod staking;
mod subnets;
mod weights;

mod dispatches;
mod errors;
mod events;
mod genesis;
mod storage_neurons;
mod storage_stake;
mod storage_subnets;
mod types;

use frame_support::pallet_macros::import_section;

pub use pallet::*;
pub use types::*;

/// The pallet. Its parts are written in files of their own and joined here, as FRAME's macro wants to see them at once.
#[import_section(storage_subnets::storage_subnets)]
#[import_section(storage_neurons::storage_neurons)]
#[import_section(storage_stake::storage_stake)]
#[import_section(errors::errors)]
#[import_section(events::events)]
#[import_section(dispatches::dispatches)]
#[import_section(genesis::genesis)]
#[frame_support::pallet]
pub mod pallet {
    use alloc::vec;
    use alloc::vec::Vec;
    use frame_support::pallet_prelude::*;
    use frame_support::traits::{
        ConstBool, ConstI16, ConstU8, ConstU16, ConstU32, ConstU64, fungible,
    };
    use frame_system::pallet_prelude::*;
    use sp_runtime::AccountId32;

    use super::types::*;
    use crate::fixed::U64F64;

    /// The pallet.
    #[pallet::pallet]
    #[pallet::without_storage_info]
    pub struct Pallet<T>(_);

    /// What the runtime supplies.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId = AccountId32, RuntimeEvent: From<Event<Self>>>
    {
        /// TAO, in rao.
        type Currency: fungible::Mutate<AccountId32, Balance = u64>;
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_block: BlockNumberFor<T>) -> Weight {
            Self::block_step()
        }
    }
}

#[cfg(test)]
mod tests;
