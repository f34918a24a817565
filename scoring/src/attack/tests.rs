//! Tests of the catalogue: names, bounds, costs, and that every attack differs from honest work.

use std::collections::BTreeSet;

use super::*;

fn skill(level: f64) -> Skill {
    Skill {
        divergence: 0.4 * (1.0 - level),
        forced_divergence: 0.4 * (1.0 - level),
        correctness: level,
        liveliness: 1.0,
        service: 0.9,
        goodput: 2.0,
        answered: 0.99,
    }
}

fn scene(age: u64, members: u32) -> Scene {
    Scene {
        epoch: age,
        age,
        member: 0,
        members,
        own: skill(0.7),
        untrained: skill(0.3),
        best: skill(0.9),
        teacher: skill(1.0),
    }
}

#[test]
fn names_are_in_snake_case_unique_and_found() {
    let names: BTreeSet<&str> = CATALOGUE.iter().map(|attack| attack.name).collect();
    assert_eq!(names.len(), CATALOGUE.len());
    for attack in CATALOGUE {
        let snake = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(attack.name.chars().all(snake), "{}", attack.name);
        assert_eq!(find(attack.name).map(|found| found.name), Some(attack.name));
        assert!(!attack.summary.is_empty() && !attack.summary.ends_with('.'));
    }
    assert!(find("honest").is_none());
}

#[test]
fn bounds_and_costs_are_numbers_that_can_be_compared() {
    let strict: Vec<&str> = CATALOGUE
        .iter()
        .filter(|attack| attack.bound == NEARLY_NOTHING)
        .map(|attack| attack.name)
        .collect();
    assert_eq!(
        strict,
        [
            "copycat",
            "relay",
            "relay_teacher",
            "turncoat",
            "ignored_seed",
            "looper",
            "replayer",
            "digest_liar",
            "identity_thief",
            "malformed_artifact",
            "oversized_message",
            "uid_inheritor",
        ]
    );
    for attack in CATALOGUE {
        assert!(attack.bound == HONEST || attack.bound == NEARLY_NOTHING);
        let stake = match attack.side() {
            Side::Miner => 0.0,
            Side::Validator => 10.0,
        };
        let total = attack.cost.total(100.0, 1.0, stake, &Prices::default());
        assert!(total > 0.0 && total.is_finite(), "{}", attack.name);
        assert!(attack.identities >= 1);
    }
    // Eight hotkeys on one card cost one card and eight registrations.
    let sybils = find("sybils_on_one_gpu").unwrap();
    let prices = Prices::default();
    let together = sybils.total_cost(8, 100.0, 8.0, 0.0, &prices);
    let one = sybils.total_cost(1, 100.0, 1.0, 0.0, &prices);
    assert!((together - one - 7.0 * prices.registration).abs() < 1e-6);
}

#[test]
fn every_attack_does_something_that_honest_participants_do_not() {
    for attack in CATALOGUE {
        let differs = match attack.conduct {
            Conduct::Miner(play) => {
                let scene = scene(30, 4);
                // Siblings differ from honest miners in their number alone.
                play(&scene) != Play::honest(scene.own) || attack.shares_machine
            }
            Conduct::Validator(vote) => {
                let poll = Poll {
                    epoch: 7,
                    member: 0,
                    members: 3,
                };
                vote(&poll) != Vote::HONEST
            }
        };
        assert!(differs, "{}", attack.name);
    }
}

#[test]
fn what_is_measured_of_a_miner_stays_in_range() {
    for attack in CATALOGUE {
        let Conduct::Miner(play) = attack.conduct else {
            continue;
        };
        for age in [0, 5, 500] {
            let play = play(&scene(age, 8));
            let unit = 0.0..=1.0;
            let Skill {
                correctness,
                liveliness,
                service,
                answered,
                ..
            } = play.skill;
            for value in [correctness, liveliness, service, answered, play.forged] {
                assert!(unit.contains(&value), "{}: {play:?}", attack.name);
            }
            assert!(play.skill.divergence >= 0.0 && play.skill.goodput >= 0.0);
        }
    }
}

#[test]
fn the_audit_sees_of_a_forger_what_was_measured() {
    use crate::evidence::HotkeyEvidence;
    use rand::{Rng as _, SeedableRng as _};

    let params = athanor_spec::SubnetSpec::local().audit;
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    // Median openings of docs/audit.md for who forges all, and all but the honest tenth.
    let measured = [
        (Draws::IGNORED_SEED, 1.0, 7),
        (Draws::TEACHER, 1.0, 8),
        (Draws::SIBLING, 1.0, 10),
        (Draws::FOUR_BITS, 1.0, 13),
        (Draws::TEACHER, 0.1, 304),
        (Draws::SIBLING, 0.3, 60),
    ];
    for (draws, forged, expected) in measured {
        let mut openings: Vec<u32> = (0..401)
            .map(|_| {
                let mut evidence = HotkeyEvidence::default();
                (1..3000)
                    .find(|_| {
                        let of = if rng.random_bool(forged) {
                            draws
                        } else {
                            Draws::HONEST
                        };
                        let caught = rng.random_bool(of.share);
                        let e_value = if caught { of.caught } else { of.missed };
                        evidence.observe(&params, e_value);
                        evidence.condemned(&params)
                    })
                    .unwrap_or(3000)
            })
            .collect();
        openings.sort_unstable();
        let median = openings[200];
        assert!(
            f64::from(median) > 0.6 * f64::from(expected)
                && f64::from(median) < 1.5 * f64::from(expected),
            "{draws:?} at {forged}: {median}, measured {expected}"
        );
    }
}
