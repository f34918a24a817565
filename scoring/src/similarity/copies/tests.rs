//! Copies are found, siblings are left alone, and one distance alone merges nobody.

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
fn same_class_needs_behaviour_and_weights() {
    let test = test(24);
    assert_eq!(verdict(&test, 0.01, Some(0.01)), Resemblance::SameClass);
    assert_eq!(verdict(&test, 0.01, Some(0.4)), Resemblance::Similar);
    assert_eq!(verdict(&test, 0.01, None), Resemblance::Similar);
    assert_eq!(verdict(&test, 0.3, Some(0.01)), Resemblance::Distinct);
    assert_eq!(verdict(&test, 0.3, Some(0.4)), Resemblance::Distinct);
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
