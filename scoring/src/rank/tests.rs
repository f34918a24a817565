//! Tests of the duel's error rate, power and thresholds.

use athanor_spec::SubnetSpec;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const EPS: f64 = 0.02;

fn params() -> AllocationParams {
    SubnetSpec::local().allocation
}

fn normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// The prompt at which W first reaches `threshold`, looking after every prompt; `None` within `prompts`.
fn crowned_at(mean: f64, threshold: f64, prompts: u64, rng: &mut impl Rng) -> Option<u64> {
    let mut process = EProcess::default();
    (0..prompts).find_map(|_| {
        process.observe(mean + 0.3 * normal(rng), EPS);
        (process.log_e_value() >= threshold.ln()).then(|| process.prompts())
    })
}

#[test]
fn equals_are_crowned_as_rarely_as_promised() {
    let mut rng = ChaCha8Rng::seed_from_u64(21);
    let runs = 4_000;
    let crowned = |_: &u32| crowned_at(EPS, 20.0, 1_000, &mut rng).is_some();
    let share = (0..runs).filter(crowned).count() as f64 / f64::from(runs);
    // 2.6 to 2.9 % in 20,000 runs; three standard errors of 4,000 runs are 0.8 %.
    assert!((0.018..0.037).contains(&share), "{share}");
}

#[test]
fn an_advantage_is_crowned_in_the_expected_number_of_prompts() {
    let mut rng = ChaCha8Rng::seed_from_u64(22);
    let mut median = |threshold| {
        let run = |_| crowned_at(EPS + 0.05, threshold, 4_000, &mut rng).unwrap_or(4_000);
        let mut prompts: Vec<u64> = (0..600).map(run).collect();
        prompts.sort_unstable();
        prompts[300]
    };
    let (low, high) = (median(20.0), median(200.0));
    assert!((190..250).contains(&low), "{low}");
    assert!((360..450).contains(&high), "{high}");
}

#[test]
fn no_single_prompt_bankrupts_or_crowns() {
    let mut process = EProcess::default();
    process.observe(-5.0, EPS);
    process.observe(f64::NAN, EPS);
    assert_eq!(process.prompts(), 1);
    assert!(process.log_e_value().is_finite() && process.log_e_value() < 0.0);
    let mut lucky = EProcess::default();
    lucky.observe(1.0, 0.0);
    assert!(lucky.log_e_value() < 2_f64.ln());
}

#[test]
fn thresholds_rise_with_the_attempts_of_one_registration_only() {
    let params = params();
    let first = threshold(1, &params);
    assert!((first - 200.0 * std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-9);
    assert!((threshold(3, &params) / first - 9.0).abs() < 1e-9);
    assert_eq!(threshold(0, &params), first);
    let spent: f64 = (1..10_000).map(|k| 1.0 / threshold(k, &params)).sum();
    assert!(spent <= params.crown_alpha / f64::from(params.crown_slots));
}

#[test]
fn the_margin_halves_with_the_age_of_the_incumbent() {
    let params = params();
    assert_eq!(margin(0.0, &params), params.crown_margin);
    let half = margin(params.margin_half_life_epochs, &params);
    assert!((half - params.crown_margin / 2.0).abs() < 1e-12);
}

#[test]
fn the_crown_passes_to_the_challenger_that_is_clearly_better() {
    let params = params();
    let (old, better, equal) = (Digest([1; 32]), Digest([2; 32]), Digest([3; 32]));
    let mut crown = Crown::default();
    crown.observe(better, 1, 1.0, EPS);
    assert_eq!((crown.holder(), crown.settle(&params)), (None, None));
    crown.claim(old);
    crown.claim(better);
    assert_eq!(crown.holder(), Some(old));
    for _ in 0..60 {
        crown.observe(better, 1, 0.4, EPS);
        crown.observe(equal, 1, 0.0, EPS);
        crown.observe(old, 1, 1.0, EPS);
    }
    let restored = Crown::decode(&mut &crown.encode()[..]).unwrap();
    assert_eq!(restored, crown);
    assert!(crown.log_e_value(equal) < 0.0);
    assert_eq!(crown.settle(&params), Some(better));
    assert_eq!(
        (crown.holder(), crown.settle(&params)),
        (Some(better), None)
    );
    crown.vacate();
    assert_eq!(crown.holder(), None);
}

#[test]
fn a_flood_of_challengers_does_not_grow_the_ledger_without_bound() {
    let mut crown = Crown::default();
    crown.claim(Digest([0; 32]));
    for index in 1..=2_000_u32 {
        let mut challenger = [1; 32];
        challenger[..4].copy_from_slice(&index.to_le_bytes());
        crown.observe(Digest(challenger), 1, 0.0, EPS);
    }
    assert_eq!(crown.duels.len(), MAX_DUELS);
}
