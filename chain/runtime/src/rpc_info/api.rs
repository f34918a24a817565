//! The runtime APIs that Bittensor adds to Substrate's own.
#![allow(unreachable_pub, reason = "the macro wants the traits public")]

use alloc::vec::Vec;

use sp_runtime::AccountId32;

use super::*;
use crate::{fixed::U64F64, subtensor::LockState};

sp_api::decl_runtime_apis! {
    /// Hotkeys that others stake on.
    pub trait DelegateInfoRuntimeApi {
        /// All of them.
        fn get_delegates() -> Vec<DelegateInfo>;
        /// One of them.
        fn get_delegate(delegate_account: AccountId32) -> Option<DelegateInfo>;
        /// Those that a coldkey staked on, and how much on each subnet.
        fn get_delegated(delegatee_account: AccountId32) -> Vec<Delegated>;
    }

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
    #[api_version(2)]
    pub trait SubnetInfoRuntimeApi {
        /// A subnet.
        fn get_subnet_info(netuid: u16) -> Option<SubnetInfo>;
        /// All subnets.
        fn get_subnets_info() -> Vec<Option<SubnetInfo>>;
        /// A subnet and how it presents itself.
        fn get_subnet_info_v2(netuid: u16) -> Option<SubnetInfov2>;
        /// All subnets and how they present themselves.
        fn get_subnets_info_v2() -> Vec<Option<SubnetInfov2>>;
        /// The hyperparameters of a subnet, in the first shape.
        fn get_subnet_hyperparams(netuid: u16) -> Option<SubnetHyperparams>;
        /// The same in the second shape.
        fn get_subnet_hyperparams_v2(netuid: u16) -> Option<SubnetHyperparamsV2>;
        /// The same as a list of names and values.
        fn get_subnet_hyperparams_v3(netuid: u16) -> Option<Vec<HyperparamEntry>>;
        /// The markets of all subnets.
        fn get_all_dynamic_info() -> Vec<Option<DynamicInfo>>;
        /// All subnets with all of their neurons.
        fn get_all_metagraphs() -> Vec<Option<Metagraph>>;
        /// A subnet and all of its neurons.
        fn get_metagraph(netuid: u16) -> Option<Metagraph>;
        /// All mechanisms of all subnets, one each.
        fn get_all_mechagraphs() -> Vec<Option<Metagraph>>;
        /// A mechanism of a subnet.
        fn get_mechagraph(netuid: u16, mecid: u8) -> Option<Metagraph>;
        /// The market of a subnet.
        fn get_dynamic_info(netuid: u16) -> Option<DynamicInfo>;
        /// The neurons of a subnet.
        fn get_subnet_state(netuid: u16) -> Option<SubnetState>;
        /// Parts of a metagraph, by number.
        fn get_selective_metagraph(
            netuid: u16,
            metagraph_indexes: Vec<u16>,
        ) -> Option<SelectiveMetagraph>;
        /// Where a coldkey's incentive is staked.
        fn get_coldkey_auto_stake_hotkey(coldkey: AccountId32, netuid: u16) -> Option<AccountId32>;
        /// Parts of a mechanism's metagraph, by number.
        fn get_selective_mechagraph(
            netuid: u16,
            subid: u8,
            metagraph_indexes: Vec<u16>,
        ) -> Option<SelectiveMetagraph>;
        /// The subnet that the next one would replace: none ever is.
        fn get_subnet_to_prune() -> Option<u16>;
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
        /// What coldkeys can take back on these subnets, or on all where they have stake.
        fn get_stake_availability_for_coldkeys(
            coldkey_accounts: Vec<AccountId32>,
            netuids: Option<Vec<u16>>,
        ) -> StakeAvailabilities;
        /// The fee of an exchange of stake, in rao: none.
        fn get_stake_fee(
            origin: Option<(AccountId32, u16)>,
            origin_coldkey_account: AccountId32,
            destination: Option<(AccountId32, u16)>,
            destination_coldkey_account: AccountId32,
            amount: u64,
        ) -> u64;
        /// Stake that a coldkey locked: none.
        fn get_coldkey_lock(coldkey: AccountId32, netuid: u16) -> Option<LockState>;
        /// What the locks on a hotkey weigh: nothing.
        fn get_hotkey_conviction(hotkey: AccountId32, netuid: u16) -> U64F64;
        /// The hotkey with the weightiest locks: none.
        fn get_most_convicted_hotkey_on_subnet(netuid: u16) -> Option<AccountId32>;
    }

    /// The price of a subnet.
    pub trait SubnetRegistrationRuntimeApi {
        /// Price of the next subnet, in rao.
        fn get_network_registration_cost() -> u64;
    }

    /// Exchanges of TAO and alpha.
    pub trait SwapRuntimeApi {
        /// Rao of TAO for one alpha.
        fn current_alpha_price(netuid: u16) -> u64;
        /// The same for every subnet.
        fn current_alpha_price_all() -> Vec<SubnetPrice>;
        /// What TAO would buy.
        fn sim_swap_tao_for_alpha(netuid: u16, tao: u64) -> SimSwapResult;
        /// What alpha would yield.
        fn sim_swap_alpha_for_tao(netuid: u16, alpha: u64) -> SimSwapResult;
    }

    /// What this chain's block author asks, to supply pulses of its own beacon; no part of Bittensor.
    pub trait BeaconApi {
        /// Rounds that timelocked ciphertexts wait for, whose time has come at `now`, in milliseconds since 1970, and
        /// that have no pulse yet. The oldest ones, up to 16.
        fn awaited_rounds(now: u64) -> Vec<u64>;
    }
}
