//! What the simulator costs: epochs of 256 UIDs with 64 validators, what one validator's round is of that, and the
//! collusion battery beside it.
//!
//! ```text
//! cargo bench -p athanor-scoring --bench simulation --profile dev
//! ```

use athanor_scoring::simulation::{
    ChainRules, MinerGroup, Noise, Population, Simulation, SkillRange, ValidatorGroup,
};
use athanor_spec::SubnetSpec;
use divan::Bencher;

fn main() {
    divan::main();
}

/// 256 UIDs: the owner's, validators, and miners of which one in eight cheats.
fn population(validators: u32) -> Population {
    let miners = 255 - validators;
    let cheats = miners / 8;
    let group = |behaviour: &str, count| MinerGroup {
        name: String::new(),
        behaviour: behaviour.to_owned(),
        count,
        joins: 0,
        skill: SkillRange {
            publish_every: 20,
            ..SkillRange::default()
        },
    };
    Population {
        chain: ChainRules::default(),
        prices: Default::default(),
        noise: Noise::default(),
        miners: vec![
            group("honest", miners - cheats),
            group("relay", cheats / 2),
            group("noisy_copy", cheats - cheats / 2),
        ],
        validators: vec![ValidatorGroup {
            name: String::new(),
            behaviour: "honest".to_owned(),
            count: validators,
            stake: 1.0,
            favours: None,
        }],
    }
}

fn started(validators: u32) -> Simulation {
    let mut simulation =
        Simulation::new(&SubnetSpec::local(), &population(validators), 1).expect("it is valid");
    // Ledgers, bonds and duels as they are later on.
    for _ in 0..30 {
        simulation.step();
    }
    simulation
}

/// One epoch; a thousand of them are the goal of ten seconds.
#[divan::bench(args = [1, 8, 64], sample_count = 30, sample_size = 1)]
fn epoch_of_256_uids_by_validators(bencher: Bencher<'_, '_>, validators: u32) {
    let mut simulation = started(validators);
    bencher.bench_local(|| simulation.step());
}

/// The tests of weights over the last 50 epochs, which run every 50 epochs.
#[divan::bench(args = [64], sample_count = 3, sample_size = 1)]
fn battery_of_256_uids_by_validators(bencher: Bencher<'_, '_>, validators: u32) {
    let mut simulation = started(validators);
    for _ in 0..20 {
        simulation.step();
    }
    bencher.bench_local(|| simulation.battery());
}
