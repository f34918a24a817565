//! Keep one subnet's neurons, stake, weights and pay: the pallet that clients know as `SubtensorModule`.
//!
//! Every block starts with [`Pallet::block_step`]: registration prices decay, each started subnet mints its emission
//! into its pending pots, and a subnet whose epoch is due runs Yuma Consensus and stakes the pots on its neurons'
//! hotkeys. Extrinsics follow, so weights that are set in the block of an epoch count in the next one.
#![allow(
    clippy::too_many_arguments,
    reason = "the arguments of the calls are Bittensor's"
)]

mod children;
mod coinbase;
mod commit_reveal;
mod dissolve;
mod epoch;
mod hyperparameters;
mod identity;
mod registration;
mod serving;
mod staking;
mod subnets;
mod swap_hotkey;
mod weights;

mod dispatches;
mod errors;
mod events;
mod genesis;
mod storage;
mod types;

use frame_support::pallet_macros::import_section;

pub use commit_reveal::WeightsTlockPayload;
pub use hyperparameters::TransactionType;
pub use pallet::*;
pub(crate) use staking::PRICE;
pub use types::*;

/// The pallet. Its parts are written in files of their own and joined here, as FRAME's macro wants to see them at once.
#[import_section(storage::subnets::storage_subnets)]
#[import_section(storage::neurons::storage_neurons)]
#[import_section(storage::stake::storage_stake)]
#[import_section(storage::chain::storage_chain)]
#[import_section(storage::hyperparameters::storage_hyperparameters)]
#[import_section(storage::family::storage_family)]
#[import_section(storage::commits::storage_commits)]
#[import_section(storage::locks::storage_locks)]
#[import_section(errors::errors)]
#[import_section(events::events)]
#[import_section(dispatches::dispatches)]
#[import_section(genesis::genesis)]
#[frame_support::pallet]
pub mod pallet {
    use alloc::{collections::VecDeque, vec, vec::Vec};
    use codec::Compact;
    use frame_support::pallet_prelude::*;
    use frame_support::traits::{
        ConstBool, ConstI16, ConstU8, ConstU16, ConstU32, ConstU64, fungible,
    };
    use frame_system::pallet_prelude::*;
    use sp_core::H256;
    use sp_runtime::{AccountId32, DispatchError};

    use super::{commit_reveal::Revealed, staking::PRICE, types::*, weights::Given};
    use crate::fixed::{I64F64, I96F32, U64F64};

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
        /// Public randomness, which opens timelocked commits.
        type Rounds: crate::drand::Rounds;
        /// What hotkeys commit to.
        type Commitments: crate::commitments::Records;
        /// Blocks after its registration from which a subnet can be started, at the start of the chain.
        #[pallet::constant]
        type InitialStartCallDelay: Get<u64>;
        /// Price of swapping a hotkey everywhere, in rao.
        #[pallet::constant]
        type KeySwapCost: Get<u64>;
        /// Price of swapping a hotkey on one subnet, in rao.
        #[pallet::constant]
        type KeySwapOnSubnetCost: Get<u64>;
        /// Blocks between two swaps of hotkeys on one subnet by a coldkey.
        #[pallet::constant]
        type HotkeySwapOnSubnetInterval: Get<u64>;
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
