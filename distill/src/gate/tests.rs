//! The gate's error rate and its power.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::init::normal;

/// The share of `runs` lives of five candidates, 200 items each, in which one passes; `gain` is its mean advantage in nats.
fn published(runs: u64, gain: f32) -> f64 {
    let mut passed = 0;
    for seed in 0..runs {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut gate = Gate::new(GateSettings::default()).unwrap();
        let open = (0..5).any(|_| {
            let open = (0..200).any(|_| {
                let level = 0.5 + rng.random::<f32>();
                gate.observe(
                    level + 0.15 * normal(&mut rng),
                    level - gain + 0.15 * normal(&mut rng),
                );
                gate.open()
            });
            gate.next();
            open
        });
        passed += u64::from(open);
    }
    passed as f64 / runs as f64
}

#[test]
fn a_candidate_that_is_no_better_passes_less_often_than_alpha() {
    let rate = published(2_000, 0.0);
    assert!(rate <= 0.05, "{rate}");
    assert!(published(500, -0.05) <= 0.01);
}

#[test]
fn a_candidate_that_is_better_passes() {
    assert!(published(200, 0.1) > 0.95);
}

#[test]
fn what_is_not_a_number_never_helps_the_candidate() {
    let mut gate = Gate::new(GateSettings::default()).unwrap();
    for _ in 0..100 {
        gate.observe(1.0, f32::NAN);
        gate.observe(f32::NAN, f32::NAN);
    }
    assert!(gate.e_value() < 1e-3);
}

#[test]
fn every_candidate_starts_at_one_and_needs_more_than_the_one_before() {
    let mut gate = Gate::new(GateSettings::default()).unwrap();
    let first = gate.threshold();
    gate.observe(1.0, 0.5);
    assert!(gate.e_value() > 1.0);
    gate.next();
    assert_eq!((gate.e_value(), gate.observed()), (1.0, 0));
    assert!((gate.threshold() / first - 4.0).abs() < 1e-9);
    gate.reset();
    assert_eq!(gate.threshold(), first);
}

#[test]
fn settings_that_make_no_gate_are_refused() {
    let good = GateSettings::default();
    for bad in [
        GateSettings { alpha: 0.0, ..good },
        GateSettings {
            alpha: f64::NAN,
            ..good
        },
        GateSettings {
            epsilon: 1.0,
            ..good
        },
        GateSettings { scale: 0.0, ..good },
    ] {
        assert!(Gate::new(bad).is_err(), "{bad:?}");
    }
}
