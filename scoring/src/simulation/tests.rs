//! Tests of the simulator: determinism, and that pay goes where the mechanism says.

use athanor_spec::SubnetSpec;

use super::*;

fn miners(behaviour: &str, count: u32) -> MinerGroup {
    MinerGroup {
        name: String::new(),
        behaviour: behaviour.to_owned(),
        count,
        joins: 0,
        skill: SkillRange::default(),
    }
}

fn validators(behaviour: &str, count: u32, stake: f64) -> ValidatorGroup {
    ValidatorGroup {
        name: String::new(),
        behaviour: behaviour.to_owned(),
        count,
        stake,
        favours: None,
    }
}

fn population(miners: Vec<MinerGroup>, validators: Vec<ValidatorGroup>) -> Population {
    Population {
        chain: ChainRules::default(),
        prices: Default::default(),
        noise: Noise::default(),
        miners,
        validators,
    }
}

fn run(population: &Population, epochs: u64, seed: u64) -> Outcome {
    Simulation::new(&SubnetSpec::local(), population, seed)
        .unwrap()
        .run(epochs, |_| ())
}

fn group<'a>(outcome: &'a Outcome, name: &str) -> &'a GroupOutcome {
    outcome.groups.iter().find(|it| it.name == name).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bits_whatever_the_threads() {
    let population = population(
        vec![
            miners("honest", 8),
            miners("relay", 2),
            miners("copycat", 1),
        ],
        vec![
            validators("honest", 5, 1.0),
            validators("weight_copier", 1, 1.0),
        ],
    );
    let on = |threads: usize| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(|| run(&population, 30, 7))
    };
    let one = on(1);
    assert_eq!(one, on(3));
    assert_eq!(one, run(&population, 30, 7));
    assert_ne!(one, run(&population, 30, 8));
}

#[test]
fn honest_miners_are_paid_and_nobody_accuses_them() {
    let population = population(
        vec![
            miners("honest", 12),
            miners("relay", 1),
            miners("ignored_seed", 1),
            miners("copycat", 1),
            miners("malformed_artifact", 1),
        ],
        vec![validators("honest", 6, 1.0)],
    );
    let outcome = run(&population, 200, 1);
    assert_eq!(outcome.false_accusations, 0);
    let honest = group(&outcome, "honest");
    for attack in ["relay", "ignored_seed", "copycat", "malformed_artifact"] {
        let found = group(&outcome, attack);
        assert_eq!(found.accused, 1, "{attack}");
        assert!(found.detection.unwrap() <= 4.0, "{attack}: {found:?}");
        assert!(found.earned < 0.1 * honest.earned / 12.0, "{attack}");
    }
    // Everything that is shared out is paid, or burned with the crown's vacant share.
    let miners: f64 = outcome.groups[..5].iter().map(|it| it.earned).sum();
    let expected = 200.0 * population.chain.emission;
    let validators = outcome.groups[5].earned;
    let burned = outcome.burned * expected / 2.0;
    assert!((miners + validators + burned - expected).abs() < 0.02 * expected);
    assert!(outcome.gini > 0.0 && outcome.gini < 0.6);
    assert!(outcome.nakamoto >= 3 && outcome.honest_trust > 0.8);
}

#[test]
fn a_turncoat_is_found_soon_after_it_turns() {
    let population = population(
        vec![miners("honest", 8), miners("turncoat", 2)],
        vec![validators("honest", 4, 1.0)],
    );
    let outcome = run(&population, 60, 3);
    let found = group(&outcome, "turncoat");
    assert_eq!(found.accused, 2);
    // It turns after 20 epochs.
    assert!(
        (21.0..26.0).contains(&found.detection.unwrap()),
        "{found:?}"
    );
}

#[test]
fn a_better_newcomer_is_paid_in_time() {
    let better = SkillRange {
        divergence: (0.1, 0.1),
        divergence_trained: (0.1, 0.1),
        correctness: (0.97, 0.97),
        correctness_trained: (0.97, 0.97),
        ..SkillRange::default()
    };
    let newcomer = MinerGroup {
        name: "newcomer".to_owned(),
        joins: 30,
        skill: better,
        ..miners("honest", 1)
    };
    let population = population(
        vec![miners("honest", 10), newcomer],
        vec![validators("honest", 4, 1.0)],
    );
    let outcome = run(&population, 60, 5);
    let found = group(&outcome, "newcomer");
    assert!(found.paid_after.unwrap() <= 5.0, "{found:?}");
}

#[test]
fn validators_that_lift_their_own_are_clipped() {
    let mut cabal = validators("cabal", 3, 1.0);
    cabal.favours = Some("owned".to_owned());
    let owned = MinerGroup {
        name: "owned".to_owned(),
        skill: SkillRange {
            answered: (0.0, 0.0),
            ..SkillRange::default()
        },
        ..miners("honest", 1)
    };
    let population = population(
        vec![miners("honest", 8), owned],
        vec![validators("honest", 4, 1.0), cabal],
    );
    let outcome = run(&population, 60, 9);
    // Three of seven: below kappa.
    assert!(group(&outcome, "owned").earned < 0.001 * group(&outcome, "honest").earned);
    let (honest, cabal) = (group(&outcome, "validators"), group(&outcome, "cabal"));
    assert!(cabal.earned / 3.0 < 0.2 * honest.earned / 4.0);
}

#[test]
fn what_cannot_be_simulated_is_refused_by_name() {
    let check = |population: Population, expected: &str| {
        let error = population.checked().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let honest = || vec![validators("honest", 2, 1.0)];
    check(
        population(vec![miners("nonsense", 1)], honest()),
        "nonsense",
    );
    check(
        population(vec![miners("cabal", 1)], honest()),
        "not played by a miner",
    );
    check(population(vec![], honest()), "at least one miner");
    check(
        population(vec![miners("honest", 1), miners("honest", 2)], honest()),
        "two groups",
    );
    check(
        population(vec![miners("honest", 5_000)], honest()),
        "at most 4096",
    );
    let mut favours = population(vec![miners("honest", 1)], honest());
    favours.validators[0].favours = Some("nobody".to_owned());
    check(favours, "nobody");
    let mut noise = population(vec![miners("honest", 1)], honest());
    noise.noise.service = f64::NAN;
    check(noise, "service");
}

#[test]
fn concentration_is_measured_as_its_definitions_say() {
    assert_eq!(gini(&[1.0; 10]), 0.0);
    assert!((gini(&[0.0, 0.0, 0.0, 4.0]) - 0.75).abs() < 1e-12);
    assert_eq!(nakamoto(&[1.0; 10]), 6);
    assert_eq!(nakamoto(&[8.0, 1.0, 1.0]), 1);
    assert_eq!((gini(&[]), nakamoto(&[])), (0.0, 0));
}
