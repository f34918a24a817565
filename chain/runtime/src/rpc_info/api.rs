//! The runtime APIs that Bittensor adds to Substrate's own.
#![allow(unreachable_pub, reason = "the macro wants the traits public")]

use alloc::vec::Vec;

use super::{NeuronInfo, NeuronInfoLite};

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
        /// The block in which the next epoch is expected.
        fn get_next_epoch_start_block(netuid: u16) -> Option<u64>;
    }

    /// The price of a subnet.
    pub trait SubnetRegistrationRuntimeApi {
        /// Price of the next subnet, in rao.
        fn get_network_registration_cost() -> u64;
    }
}
