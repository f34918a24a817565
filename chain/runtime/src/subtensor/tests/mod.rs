//! The pallet's rules, one room each.

mod calls;
mod children;
mod commit_reveal;
mod dissolve;
mod epoch;
mod registration;
mod serving;
mod staking;
mod swap_hotkey;
mod vectors;
mod weights;

use frame_support::traits::Hooks;
use sp_io::TestExternalities;
use sp_runtime::{AccountId32, BuildStorage};

use super::*;
use crate::{
    Balances, BalancesConfig, Runtime, RuntimeGenesisConfig, RuntimeOrigin, SubtensorModule,
    SubtensorModuleConfig, System,
};

/// The subnet of the tests.
const NETUID: NetUid = 1;
/// One TAO in rao.
const TAO: u64 = 1_000_000_000;

/// An account made up from a number.
fn account(number: u8) -> AccountId32 {
    AccountId32::new([number; 32])
}

fn signed(number: u8) -> RuntimeOrigin {
    RuntimeOrigin::signed(account(number))
}

/// Coldkey 1 owns the subnet; coldkeys 1 to 9 hold 1000 TAO each.
fn subnet() -> SubnetGenesis {
    SubnetGenesis {
        netuid: NETUID,
        owner_coldkey: account(1),
        owner_hotkey: None,
        tempo: 10,
        emission_per_block: TAO,
        weights_rate_limit: 1,
        serving_rate_limit: 1,
        burn: TAO,
        min_burn: TAO / 2_000,
        max_burn: 100 * TAO,
        immunity_period: 100,
        max_allowed_uids: 256,
        max_allowed_validators: 64,
        min_allowed_weights: 1,
        weights_version_key: 0,
        activity_cutoff_factor_milli: 13_889,
        kappa: 32_767,
        bonds_moving_average: 900_000,
        bonds_penalty: u16::MAX,
        yuma3: true,
        liquid_alpha: false,
        commit_reveal: false,
        reveal_period: 1,
        neurons: Vec::new(),
    }
}

/// A neuron whose hotkey is ten times its coldkey's number.
fn neuron(coldkey: u8, stake: u64) -> NeuronGenesis {
    NeuronGenesis {
        coldkey: account(coldkey),
        hotkey: account(10 * coldkey),
        stake,
    }
}

fn config(subnets: Vec<SubnetGenesis>) -> SubtensorModuleConfig {
    SubtensorModuleConfig {
        subnets,
        stake_threshold: 10 * TAO,
        ..Default::default()
    }
}

/// Runs a test on the first block of a chain.
fn on_chain(subtensor_module: SubtensorModuleConfig, test: impl FnOnce()) {
    let balances = (1..=9)
        .map(|number| (account(number), 1_000 * TAO))
        .collect();
    let storage = RuntimeGenesisConfig {
        balances: BalancesConfig {
            balances,
            ..Default::default()
        },
        subtensor_module,
        ..Default::default()
    }
    .build_storage()
    .unwrap();
    let mut externalities = TestExternalities::new(storage);
    externalities.execute_with(|| {
        go_to(1);
        test();
    });
}

/// Starts blocks up to this one, as their building does.
fn go_to(block: u32) {
    while System::block_number() < block {
        let next = System::block_number() + 1;
        System::set_block_number(next);
        System::reset_events();
        SubtensorModule::on_initialize(next);
    }
}
