//! The runtime APIs that Bittensor adds to Substrate's own.
#![allow(unreachable_pub, reason = "the macro wants the traits public")]

use alloc::vec::Vec;

use sp_runtime::AccountId32;

use super::{Metagraph, NeuronInfo, NeuronInfoLite, StakeInfo};

sp_api::decl_runtime_apis! {
    /// Neurons of a subnet.
    pub trait NeuronInfoRuntimeApi {
        /// All neurons with weights and bonds, by UID.
        fn get_neurons(netuid: u16) -> Vec<NeuronInfo>;
        /// One neuron with weights and bonds.
        fn get_neuron(netuid: u16, uid: u16) -> Option<NeuronInfo>;
        /// All neurons, by UID.
        fn get_neurons_lite(netuid: u16) -> Vec<NeuronInfoLite>;
        /// One neuron.
        fn get_neuron_lite(netuid: u16, uid: u16) -> Option<NeuronInfoLite>;
    }

    /// Subnets.
    pub trait SubnetInfoRuntimeApi {
        /// A subnet and all of its neurons.
        fn get_metagraph(netuid: u16) -> Option<Metagraph>;
        /// The block in which the next epoch is expected.
        fn get_next_epoch_start_block(netuid: u16) -> Option<u64>;
    }

    /// Stake.
    pub trait StakeInfoRuntimeApi {
        /// All that a coldkey has staked.
        fn get_stake_info_for_coldkey(coldkey_account: AccountId32) -> Vec<StakeInfo>;
        /// The same for several coldkeys.
        fn get_stake_info_for_coldkeys(
            coldkey_accounts: Vec<AccountId32>,
        ) -> Vec<(AccountId32, Vec<StakeInfo>)>;
        /// What a coldkey has staked on a hotkey.
        fn get_stake_info_for_hotkey_coldkey_netuid(
            hotkey_account: AccountId32,
            coldkey_account: AccountId32,
            netuid: u16,
        ) -> Option<StakeInfo>;
    }

    /// The price of a subnet.
    pub trait SubnetRegistrationRuntimeApi {
        /// Price of the next subnet, in rao.
        fn get_network_registration_cost() -> u64;
    }
}
