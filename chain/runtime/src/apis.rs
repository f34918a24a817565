//! What a node and its clients can ask of the runtime.
#![allow(
    missing_docs,
    reason = "the macro documents nothing of what it generates"
)]

use alloc::vec::Vec;
use frame_support::{
    genesis_builder_helper::{build_state, get_preset},
    weights::Weight,
};
use pallet_transaction_payment_rpc_runtime_api::{FeeDetails, RuntimeDispatchInfo};
use sp_api::impl_runtime_apis;
use sp_core::OpaqueMetadata;
use sp_genesis_builder::PresetId;
use sp_inherents::{CheckInherentsResult, InherentData};
use sp_runtime::{
    ApplyExtrinsicResult, ExtrinsicInclusionMode,
    traits::Block as BlockT,
    transaction_validity::{TransactionSource, TransactionValidity},
};
use sp_version::RuntimeVersion;

use crate::{
    fixed::U64F64,
    rpc_info::{api as info, *},
    subtensor::LockState,
    *,
};

impl_runtime_apis! {
    impl sp_api::Core<Block> for Runtime {
        fn version() -> RuntimeVersion {
            VERSION
        }

        fn execute_block(block: <Block as BlockT>::LazyBlock) {
            Executive::execute_block(block)
        }

        fn initialize_block(header: &<Block as BlockT>::Header) -> ExtrinsicInclusionMode {
            Executive::initialize_block(header)
        }
    }

    impl sp_api::Metadata<Block> for Runtime {
        fn metadata() -> OpaqueMetadata {
            OpaqueMetadata::new(Runtime::metadata().into())
        }

        fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
            Runtime::metadata_at_version(version)
        }

        fn metadata_versions() -> Vec<u32> {
            Runtime::metadata_versions()
        }
    }

    impl sp_block_builder::BlockBuilder<Block> for Runtime {
        fn apply_extrinsic(extrinsic: <Block as BlockT>::Extrinsic) -> ApplyExtrinsicResult {
            Executive::apply_extrinsic(extrinsic)
        }

        fn finalize_block() -> <Block as BlockT>::Header {
            Executive::finalize_block()
        }

        fn inherent_extrinsics(data: InherentData) -> Vec<<Block as BlockT>::Extrinsic> {
            inherent_extrinsics(&data)
        }

        fn check_inherents(
            block: <Block as BlockT>::LazyBlock,
            data: InherentData,
        ) -> CheckInherentsResult {
            check_inherents(&block, &data)
        }
    }

    impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
        fn validate_transaction(
            source: TransactionSource,
            tx: <Block as BlockT>::Extrinsic,
            block_hash: <Block as BlockT>::Hash,
        ) -> TransactionValidity {
            Executive::validate_transaction(source, tx, block_hash)
        }
    }

    impl frame_system_rpc_runtime_api::AccountNonceApi<Block, AccountId, Nonce> for Runtime {
        fn account_nonce(account: AccountId) -> Nonce {
            System::account_nonce(account)
        }
    }

    impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentApi<Block, Balance> for Runtime {
        fn query_info(
            uxt: <Block as BlockT>::Extrinsic,
            len: u32,
        ) -> RuntimeDispatchInfo<Balance> {
            TransactionPayment::query_info(uxt, len)
        }

        fn query_fee_details(uxt: <Block as BlockT>::Extrinsic, len: u32) -> FeeDetails<Balance> {
            TransactionPayment::query_fee_details(uxt, len)
        }

        fn query_weight_to_fee(weight: Weight) -> Balance {
            TransactionPayment::weight_to_fee(weight)
        }

        fn query_length_to_fee(length: u32) -> Balance {
            TransactionPayment::length_to_fee(length)
        }
    }

    impl sp_genesis_builder::GenesisBuilder<Block> for Runtime {
        fn build_state(json: Vec<u8>) -> sp_genesis_builder::Result {
            build_state::<RuntimeGenesisConfig>(json)
        }

        fn get_preset(id: &Option<PresetId>) -> Option<Vec<u8>> {
            get_preset::<RuntimeGenesisConfig>(id, |_| None)
        }

        fn preset_names() -> Vec<PresetId> {
            Vec::new()
        }
    }

    impl info::NeuronInfoRuntimeApi<Block> for Runtime {
        fn get_neurons(netuid: u16) -> Vec<NeuronInfo> {
            SubtensorModule::get_neurons(netuid)
        }

        fn get_neuron(netuid: u16, uid: u16) -> Option<NeuronInfo> {
            SubtensorModule::get_neuron(netuid, uid)
        }

        fn get_neurons_lite(netuid: u16) -> Vec<NeuronInfoLite> {
            SubtensorModule::get_neurons_lite(netuid)
        }

        fn get_neuron_lite(netuid: u16, uid: u16) -> Option<NeuronInfoLite> {
            SubtensorModule::get_neuron_lite(netuid, uid)
        }
    }

    impl info::DelegateInfoRuntimeApi<Block> for Runtime {
        fn get_delegates() -> Vec<DelegateInfo> {
            SubtensorModule::get_delegates()
        }

        fn get_delegate(delegate_account: AccountId) -> Option<DelegateInfo> {
            SubtensorModule::get_delegate(delegate_account)
        }

        fn get_delegated(delegatee_account: AccountId) -> Vec<Delegated> {
            SubtensorModule::get_delegated(delegatee_account)
        }
    }

    impl info::SubnetInfoRuntimeApi<Block> for Runtime {
        fn get_subnet_info(netuid: u16) -> Option<SubnetInfo> {
            SubtensorModule::get_subnet_info(netuid)
        }

        fn get_subnets_info() -> Vec<Option<SubnetInfo>> {
            each_subnet(SubtensorModule::get_subnet_info)
        }

        fn get_subnet_info_v2(netuid: u16) -> Option<SubnetInfov2> {
            SubtensorModule::get_subnet_info_v2(netuid)
        }

        fn get_subnets_info_v2() -> Vec<Option<SubnetInfov2>> {
            each_subnet(SubtensorModule::get_subnet_info_v2)
        }

        fn get_subnet_hyperparams(netuid: u16) -> Option<SubnetHyperparams> {
            SubtensorModule::get_subnet_hyperparams(netuid)
        }

        fn get_subnet_hyperparams_v2(netuid: u16) -> Option<SubnetHyperparamsV2> {
            SubtensorModule::get_subnet_hyperparams_v2(netuid)
        }

        fn get_subnet_hyperparams_v3(netuid: u16) -> Option<Vec<HyperparamEntry>> {
            SubtensorModule::get_subnet_hyperparams_v3(netuid)
        }

        fn get_all_dynamic_info() -> Vec<Option<DynamicInfo>> {
            each_subnet(SubtensorModule::get_dynamic_info)
        }

        fn get_all_metagraphs() -> Vec<Option<Metagraph>> {
            each_subnet(SubtensorModule::get_metagraph)
        }

        fn get_metagraph(netuid: u16) -> Option<Metagraph> {
            SubtensorModule::get_metagraph(netuid)
        }

        fn get_all_mechagraphs() -> Vec<Option<Metagraph>> {
            each_subnet(SubtensorModule::get_metagraph)
        }

        fn get_mechagraph(netuid: u16, mecid: u8) -> Option<Metagraph> {
            has_mechanism(netuid, mecid).then(|| SubtensorModule::get_metagraph(netuid))?
        }

        fn get_dynamic_info(netuid: u16) -> Option<DynamicInfo> {
            SubtensorModule::get_dynamic_info(netuid)
        }

        fn get_subnet_state(netuid: u16) -> Option<SubnetState> {
            SubtensorModule::get_subnet_state(netuid)
        }

        fn get_selective_metagraph(
            netuid: u16,
            metagraph_indexes: Vec<u16>,
        ) -> Option<SelectiveMetagraph> {
            let commitments = || Commitments::get_commitments(netuid);
            SubtensorModule::get_selective_metagraph(netuid, &metagraph_indexes, commitments)
        }

        fn get_coldkey_auto_stake_hotkey(coldkey: AccountId, netuid: u16) -> Option<AccountId> {
            crate::subtensor::AutoStakeDestination::<Runtime>::get(coldkey, netuid)
        }

        fn get_selective_mechagraph(
            netuid: u16,
            subid: u8,
            metagraph_indexes: Vec<u16>,
        ) -> Option<SelectiveMetagraph> {
            let commitments = || Commitments::get_commitments(netuid);
            has_mechanism(netuid, subid).then(|| {
                SubtensorModule::get_selective_metagraph(netuid, &metagraph_indexes, commitments)
            })?
        }

        fn get_subnet_to_prune() -> Option<u16> {
            SubtensorModule::network_to_prune()
        }

        fn get_next_epoch_start_block(netuid: u16) -> Option<u64> {
            SubtensorModule::schedule(netuid).next_epoch_block()
        }
    }

    impl info::StakeInfoRuntimeApi<Block> for Runtime {
        fn get_stake_info_for_coldkey(coldkey_account: AccountId) -> Vec<StakeInfo> {
            SubtensorModule::get_stake_info_for_coldkey(coldkey_account)
        }

        fn get_stake_info_for_coldkeys(
            coldkey_accounts: Vec<AccountId>,
        ) -> Vec<(AccountId, Vec<StakeInfo>)> {
            coldkey_accounts
                .into_iter()
                .map(|coldkey| {
                    let stakes = SubtensorModule::get_stake_info_for_coldkey(coldkey.clone());
                    (coldkey, stakes)
                })
                .collect()
        }

        fn get_stake_info_for_hotkey_coldkey_netuid(
            hotkey_account: AccountId,
            coldkey_account: AccountId,
            netuid: u16,
        ) -> Option<StakeInfo> {
            Some(SubtensorModule::get_stake_info(hotkey_account, coldkey_account, netuid))
        }

        fn get_stake_availability_for_coldkeys(
            coldkey_accounts: Vec<AccountId>,
            netuids: Option<Vec<u16>>,
        ) -> StakeAvailabilities {
            SubtensorModule::get_stake_availability(coldkey_accounts, netuids)
        }

        fn get_stake_fee(
            _origin: Option<(AccountId, u16)>,
            _origin_coldkey_account: AccountId,
            _destination: Option<(AccountId, u16)>,
            _destination_coldkey_account: AccountId,
            _amount: u64,
        ) -> u64 {
            0
        }

        fn get_coldkey_lock(_coldkey: AccountId, _netuid: u16) -> Option<LockState> {
            None
        }

        fn get_hotkey_conviction(_hotkey: AccountId, _netuid: u16) -> U64F64 {
            U64F64::ZERO
        }

        fn get_most_convicted_hotkey_on_subnet(_netuid: u16) -> Option<AccountId> {
            None
        }
    }

    impl info::SubnetRegistrationRuntimeApi<Block> for Runtime {
        fn get_network_registration_cost() -> u64 {
            SubtensorModule::network_lock_cost()
        }
    }

    impl info::SwapRuntimeApi<Block> for Runtime {
        fn current_alpha_price(netuid: u16) -> u64 {
            SubtensorModule::current_alpha_price(netuid)
        }

        fn current_alpha_price_all() -> Vec<SubnetPrice> {
            SubtensorModule::current_alpha_price_all()
        }

        fn sim_swap_tao_for_alpha(netuid: u16, tao: u64) -> SimSwapResult {
            SubtensorModule::sim_swap(netuid, tao)
        }

        fn sim_swap_alpha_for_tao(netuid: u16, alpha: u64) -> SimSwapResult {
            SubtensorModule::sim_swap(netuid, alpha)
        }
    }

    impl info::BeaconApi<Block> for Runtime {
        fn awaited_rounds(now: u64) -> Vec<u64> {
            awaited_rounds(now)
        }
    }
}

/// Most rounds that a block's author is asked for at once.
const MOST_ROUNDS: usize = 16;

fn awaited_rounds(now: u64) -> Vec<u64> {
    let newest = crate::drand::BeaconConfig::<Runtime>::get().round_at(now);
    let mut rounds = Commitments::awaited_rounds();
    for netuid in SubtensorModule::subnets() {
        rounds.extend(SubtensorModule::awaited_rounds(netuid));
    }
    let come = |round: &u64| (1..=newest).contains(round);
    rounds.into_iter().filter(come).take(MOST_ROUNDS).collect()
}

/// What there is to say of root and every subnet.
fn each_subnet<R>(say: impl Fn(u16) -> Option<R>) -> Vec<Option<R>> {
    SubtensorModule::with_root().into_iter().map(say).collect()
}

fn has_mechanism(netuid: u16, mecid: u8) -> bool {
    mecid < crate::subtensor::MechanismCountCurrent::<Runtime>::get(netuid)
}
