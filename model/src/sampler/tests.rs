//! The draws against their definition, golden values, and the full scan.

use proptest::prelude::*;

use super::*;

/// Every token's score, none skipped.
fn full_scan(logits: &[f32], temperature: f32, seed: u64, step: u32) -> Vec<f32> {
    logits
        .iter()
        .enumerate()
        .map(|(token, &logit)| score(logit, temperature, seed, step, token as u32))
        .collect()
}

fn argmax(scores: &[f32]) -> usize {
    let mut best = 0;
    for (token, &score) in scores.iter().enumerate() {
        if score > scores[best] {
            best = token;
        }
    }
    best
}

#[test]
fn the_draws_are_the_protocols_golden_values() {
    let draws: Vec<String> = [
        (0, 0, 0),
        (0, 0, 1),
        (0, 1, 0),
        (1, 0, 0),
        (u64::MAX, 7, 31_999),
    ]
    .map(|(seed, step, token)| format!("{:08x}", gumbel(seed, step, token).to_bits()))
    .to_vec();
    assert_eq!(draws, GOLDEN);
}

const GOLDEN: [&str; 5] = ["3dadb638", "4003f241", "3e09d1f2", "4009bb9a", "400bb85e"];

#[test]
fn no_draw_reaches_the_bound_that_pruning_relies_on() {
    let at = |steps: f64| -(-(steps / 16_777_217.0).ln()).ln() as f32;
    assert!(at(16_777_216.0) < GUMBEL_MAX && at(16_777_216.0) > 16.6);
    assert!(at(1.0) > -2.82);
}

#[test]
fn the_draws_have_the_mean_and_variance_of_a_standard_gumbel() {
    let n = 200_000;
    let draws: Vec<f64> = (0..n).map(|v| f64::from(gumbel(42, 3, v))).collect();
    let mean = draws.iter().sum::<f64>() / f64::from(n);
    let variance = draws.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / f64::from(n);
    assert!((mean - 0.577_216).abs() < 0.012, "mean {mean}");
    assert!((variance - 1.644_934).abs() < 0.05, "variance {variance}");
}

#[test]
fn over_many_seeds_tokens_come_as_often_as_the_softmax_says() {
    let logits = [1.0f32, 0.0, -1.0, 2.0];
    let temperature = 0.7;
    let mut counts = [0u32; 4];
    let n = 40_000;
    for seed in 0..n {
        counts[sample(&logits, temperature, seed, 5) as usize] += 1;
    }
    let weights = logits.map(|l| f64::from(l / temperature).exp());
    let total: f64 = weights.iter().sum();
    for (count, weight) in counts.iter().zip(weights) {
        let expected = weight / total;
        let found = f64::from(*count) / n as f64;
        let deviation = (expected * (1.0 - expected) / n as f64).sqrt();
        assert!(
            (found - expected).abs() < 5.0 * deviation,
            "{found} against {expected}"
        );
    }
}

#[test]
fn temperature_zero_is_the_argmax_with_ties_to_the_smaller_id() {
    assert_eq!(sample(&[0.0, 3.0, 3.0, 1.0], 0.0, 9, 9), 1);
    let margin = observe(&[0.0, 3.0, 2.5, 1.0], 3, 0.0, 9, 9);
    assert_eq!(
        margin,
        Margin {
            margin: 2.0,
            gap: 0.5
        }
    );
}

#[test]
fn logits_that_are_no_numbers_and_tokens_that_do_not_exist_never_fit() {
    let logits = [f32::NAN, 1.0, f32::NAN];
    assert_eq!(sample(&logits, 1.0, 1, 1), 1);
    assert_eq!(observe(&logits, 0, 1.0, 1, 1).margin, f32::INFINITY);
    assert_eq!(observe(&logits, 3, 1.0, 1, 1).margin, f32::INFINITY);
}

proptest! {
    #[test]
    fn the_pruned_scan_is_the_full_scan(
        logits in prop::collection::vec(-40.0f32..40.0, 1..300),
        temperature in prop::sample::select(vec![0.0f32, 0.05, 0.3, 0.7, 1.0, 1.5, 5.0]),
        seed: u64,
        step in 0u32..5000,
        claimed in 0usize..300,
    ) {
        let scores = full_scan(&logits, temperature, seed, step);
        let best = argmax(&scores);
        let token = sample(&logits, temperature, seed, step);
        prop_assert_eq!(token as usize, best);
        prop_assert_eq!(observe(&logits, token, temperature, seed, step).margin, 0.0);
        let claimed = claimed % logits.len();
        let seen = observe(&logits, claimed as u32, temperature, seed, step);
        prop_assert_eq!(seen.margin, scores[best] - scores[claimed]);
        let second = (0..scores.len()).filter(|&v| v != best).map(|v| scores[v]);
        let second = second.fold(f32::NEG_INFINITY, f32::max);
        prop_assert_eq!(seen.gap, scores[best] - second);
    }
}
