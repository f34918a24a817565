//! The procedures against values worked out by hand, and their rates under dependence.

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::synthetic::normal;

#[test]
fn e_bh_rejects_the_k_largest() {
    // 4 hypotheses at q = 0.5 need 8, 4, 2.67, 2.
    assert_eq!(e_bh(&[1.0, 5.0, 4.0, 0.0], 4, 0.5), [1, 2]);
    assert_eq!(e_bh(&[1.0, 7.9, 3.9, 0.0], 4, 0.5), [] as [usize; 0]);
    assert_eq!(e_bh(&[8.0], 4, 0.5), [0]);
    assert_eq!(e_bh(&[f64::NAN, 8.0], 4, 0.5), [1]);
}

#[test]
fn the_first_rejection_among_all_pairs_of_256_needs_the_stated_evidence() {
    let pairs = 256 * 255 / 2;
    assert_eq!(e_bh(&[f64::from(pairs) / 0.05], pairs as u64, 0.05), [0]);
    assert_eq!(
        e_bh(&[f64::from(pairs) / 0.05 - 1.0], pairs as u64, 0.05),
        [] as [usize; 0]
    );
}

#[test]
fn yekutieli_is_hochberg_over_the_harmonic_number() {
    let p = [0.001, 0.012, 0.02, 0.5];
    assert_eq!(benjamini_hochberg(&p, 4, 0.05), [0, 1, 2]);
    // 1 + 1/2 + 1/3 + 1/4 = 2.0833: the bounds are 0.006, 0.012, 0.018, 0.024.
    assert_eq!(benjamini_yekutieli(&p, 4, 0.05), [0, 1]);
    let sum: f64 = (1..=1000).map(|k| 1.0 / f64::from(k)).sum();
    assert!((harmonic(1000) - sum).abs() < 1e-9);
}

#[test]
fn a_calibrated_p_value_is_an_e_value() {
    // The integral over [0, 1] is 1: in logarithmic steps, as the mass lies near 0.
    let steps = 400_000;
    let lowest = 1e-250_f64.ln();
    let mut integral = 0.0;
    for i in 0..steps {
        let log = lowest * (f64::from(i) + 0.5) / f64::from(steps);
        integral += e_of_p(log.exp()) * log.exp() * -lowest / f64::from(steps);
    }
    // What lies below 1e-250 has the mass 1 / 576.
    assert!((0.99..=1.0).contains(&integral), "{integral}");
    assert!(e_of_p(1e-6) > 5_000.0);
    assert_eq!(e_of_p(f64::NAN), 0.0);
}

#[test]
fn e_bh_holds_its_rate_when_all_hypotheses_share_their_noise() {
    let (q, mut rng) = (0.1, ChaCha8Rng::seed_from_u64(3));
    let (trials, mut false_alarms) = (4000, 0);
    for _ in 0..trials {
        let shared = normal(&mut rng);
        let e_values: Vec<f64> = (0..50)
            .map(|_| {
                let z = f64::from(0.95 * shared + 0.3122 * normal(&mut rng));
                (3.0 * z - 4.5).exp()
            })
            .collect();
        false_alarms += usize::from(!e_bh(&e_values, 50, q).is_empty());
    }
    assert!(
        (false_alarms as f64) < q * f64::from(trials),
        "{false_alarms}"
    );
}

#[test]
fn a_product_finds_what_one_epoch_does_not() {
    let (mut product, mut mean) = (Sequential::default(), Average::default());
    for _ in 0..10 {
        product.observe(3.0);
        mean.observe(3.0);
    }
    product.observe(f64::NAN);
    assert!((product.e_value() - 3f64.powi(10)).abs() < 1e-6);
    assert_eq!(product.epochs(), 11);
    assert_eq!(mean.e_value(), 3.0);
}

proptest! {
    #[test]
    fn more_evidence_never_rejects_less(seed in any::<u64>(), lift in 1.0..20.0_f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let e_values: Vec<f64> = (0..30).map(|_| rng.random::<f64>().powi(-2)).collect();
        let lifted: Vec<f64> = e_values.iter().map(|e| e * lift).collect();
        let few = e_bh(&e_values, 30, 0.2);
        let many = e_bh(&lifted, 30, 0.2);
        prop_assert!(few.iter().all(|index| many.contains(index)));
    }
}
