//! Copies are found, and siblings are left alone.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::{similarity::null::tests::sample, synthetic::normal};

fn test(siblings: usize) -> CopyTest {
    CopyTest::new(sample(siblings, 1), 1)
}

fn verdict(test: &CopyTest, behaviour: f64, weights: Option<f64>) -> Resemblance {
    test.judge(1, 0, behaviour, weights, 20, 255).resemblance
}

#[test]
fn same_class_needs_behaviour_and_weights_or_weights_that_are_far_beyond() {
    let test = test(24);
    assert_eq!(verdict(&test, 0.01, Some(0.01)), Resemblance::SameClass);
    assert_eq!(verdict(&test, 0.01, Some(0.4)), Resemblance::Similar);
    assert_eq!(verdict(&test, 0.01, None), Resemblance::Similar);
    assert_eq!(verdict(&test, 0.3, Some(0.01)), Resemblance::SameClass);
    assert_eq!(verdict(&test, 0.3, Some(0.4)), Resemblance::Distinct);
    let tail = test.tail(Kind::Weights).unwrap();
    let (both, alone) = (ALPHA / 255.0, ALPHA_WEIGHTS / 255.0);
    let between = 0.5 * (tail.threshold(both, 20) + tail.threshold(alone, 20));
    assert_eq!(verdict(&test, 0.3, Some(between)), Resemblance::Distinct);
    assert_eq!(verdict(&test, 0.01, Some(between)), Resemblance::SameClass);
}

/// The distances of docs/similarity.md, by the null that ships.
#[test]
fn a_copy_that_speaks_differently_is_known_by_its_weights_and_no_honest_model_is() {
    let test = CopyTest::new(NullSample::shipped(), 1);
    let verdict = |behaviour, weights| {
        let judged = test.judge(0, 0, behaviour, Some(weights), SUBNET, SUBNET);
        judged.resemblance
    };
    for copy in [(0.356, 0.0125), (0.378, 0.0157), (f64::INFINITY, 0.0157)] {
        assert_eq!(verdict(copy.0, copy.1), Resemblance::SameClass, "{copy:?}");
    }
    for honest in [
        (0.302, 0.0248),
        (0.444, 0.0539),
        (0.301, 0.480),
        (0.36, 0.0227),
        (0.3, 0.019),
    ] {
        assert_eq!(
            verdict(honest.0, honest.1),
            Resemblance::Distinct,
            "{honest:?}"
        );
    }
}

#[test]
fn a_model_is_held_against_the_nearest_by_either_distance() {
    let (mut rng, test) = (ChaCha8Rng::seed_from_u64(5), test(24));
    let common: Vec<f32> = (0..600).map(|_| -0.6 - 3.0 * rng.random::<f32>()).collect();
    let mut said =
        |sd: f32| -> Vec<f32> { common.iter().map(|p| p + sd * normal(&mut rng)).collect() };
    let (later, others) = (said(0.35), [said(0.35), said(0.35), said(0.35)]);
    let view = |said| Model {
        log_probabilities: said,
        signature: None,
    };
    let others: Vec<_> = others.iter().map(|it| view(it)).collect();
    let found = test.against(&view(&later), &others).unwrap();
    assert_eq!(
        (found.resemblance, found.weights),
        (Resemblance::Distinct, None)
    );
    let copy = later.clone();
    let with_copy = [others[0], others[1], view(&copy), others[2]];
    let found = test.against(&view(&later), &with_copy).unwrap();
    assert_eq!(
        (found.earlier, found.resemblance),
        (2, Resemblance::Similar)
    );
    assert_eq!(test.against(&view(&[]), &others), None);
    assert_eq!(test.against(&view(&later), &[]), None);
}

#[test]
fn with_a_small_null_nothing_is_more_than_similar() {
    let test = test(12);
    assert_eq!(verdict(&test, 0.0, Some(0.0)), Resemblance::Similar);
    assert_eq!(verdict(&test, 0.3, Some(0.0)), Resemblance::Distinct);
    let comparison = test.judge(1, 0, 0.0, Some(0.0), 5, 255);
    assert_eq!(comparison.p_smallest, 1.0 / 13.0);
}

/// Independent models at the distance of the null's siblings from each other, and a copy of the third.
#[test]
fn a_copy_in_a_population_is_named_with_its_original() {
    let (mut rng, test) = (ChaCha8Rng::seed_from_u64(4), test(24));
    let common: Vec<f32> = (0..600).map(|_| -0.6 - 3.0 * rng.random::<f32>()).collect();
    let mut models: Vec<Vec<f32>> = (0..30)
        .map(|_| common.iter().map(|p| p + 0.35 * normal(&mut rng)).collect())
        .collect();
    models.push(
        models[2]
            .iter()
            .map(|p| p + 0.002 * normal(&mut rng))
            .collect(),
    );
    let views: Vec<Model<'_>> = models
        .iter()
        .map(|model| Model {
            log_probabilities: model,
            signature: None,
        })
        .collect();
    let found = test.run(&views, 7);
    let alarms: Vec<_> = found
        .iter()
        .filter(|c| c.resemblance > Resemblance::Distinct)
        .collect();
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!((alarms[0].later, alarms[0].earlier), (30, 2));
    assert_eq!(
        alarms[0].resemblance,
        Resemblance::Similar,
        "without weights it is no more"
    );
}

#[test]
fn a_copy_of_a_copy_is_of_the_first_one_s_class() {
    let link = |later, earlier, resemblance| Comparison {
        later,
        earlier,
        resemblance,
        ..test(24).judge(later, earlier, 0.01, None, 1, 1)
    };
    let comparisons = [
        link(4, 3, Resemblance::SameClass),
        link(3, 1, Resemblance::SameClass),
        link(2, 0, Resemblance::Similar),
    ];
    assert_eq!(classes(5, &comparisons), [0, 1, 2, 1, 1]);
}
