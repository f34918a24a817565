//! The screen finds the copies that comparing all pairs finds.

use super::*;
use crate::synthetic::normal;

/// Models that differ by `spread` nats from a common one; the last ones are copies of earlier ones, `noise` nats away.
fn population(models: usize, copies: usize, spread: f32, noise: f32, seed: u64) -> Vec<Vec<f32>> {
    let (mut rng, positions) = (ChaCha8Rng::seed_from_u64(seed), 160);
    let common: Vec<f32> = (0..positions)
        .map(|_| -3.0 * rng.random::<f32>() - 0.5)
        .collect();
    let mut profiles: Vec<Vec<f32>> = (0..models - copies)
        .map(|_| {
            common
                .iter()
                .map(|p| p + spread * normal(&mut rng))
                .collect()
        })
        .collect();
    for copy in 0..copies {
        let of = profiles[copy * 7 % (models - copies)].clone();
        profiles.push(of.iter().map(|p| p + noise * normal(&mut rng)).collect());
    }
    profiles
}

fn views(profiles: &[Vec<f32>]) -> Vec<&[f32]> {
    profiles.iter().map(Vec::as_slice).collect()
}

#[test]
fn the_screen_finds_copies_in_a_large_population() {
    let profiles = population(1200, 60, 0.4, 0.02, 3);
    let (views, copies) = (views(&profiles), 60);
    let found = screened(&views, 11);
    let expected = |copy: usize| copy * 7 % 1140;
    let hits = (0..copies)
        .filter(|copy| found[1140 + copy].is_some_and(|nearest| nearest.earlier == expected(*copy)))
        .count();
    assert!(hits >= 58, "{hits} of {copies}");
}

#[test]
fn what_the_screen_misses_only_looks_further_away() {
    let profiles = population(700, 20, 0.3, 0.1, 4);
    let views = views(&profiles);
    for (screened, exact) in screened(&views, 1).iter().zip(all_pairs(&views)) {
        match (screened, exact) {
            (Some(screened), Some(exact)) => assert!(screened.distance >= exact.distance),
            (screened, exact) => assert!(screened.is_none() || exact.is_some()),
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_neighbours_and_the_first_has_none() {
    let profiles = population(600, 5, 0.3, 0.02, 5);
    let views = views(&profiles);
    assert_eq!(nearest_earlier(&views, 2), nearest_earlier(&views, 2));
    assert_eq!(nearest_earlier(&views, 2)[0], None);
    assert_eq!(nearest_earlier(&[], 2), []);
}
