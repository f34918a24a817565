//! Copies are found, and siblings are left alone.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::{
    similarity::{innovation::Reference, null::tests::sample, weights::tests::Owned},
    synthetic::normal,
};

fn test(siblings: usize) -> CopyTest {
    CopyTest::new(sample(siblings, 1), 1)
}

fn measured(behaviour: f64, weights: Option<f64>, shared: Option<f64>) -> Measured {
    Measured {
        behaviour,
        weights,
        shared,
        expected: 0.0,
    }
}

fn verdict(test: &CopyTest, behaviour: f64, weights: Option<f64>) -> Resemblance {
    let measured = measured(behaviour, weights, None);
    test.judge(1, 0, measured, 20, 255).resemblance
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
    let (both, alone) = (ALPHA / 255.0, ALPHA_ALONE / 255.0);
    let between = 0.5 * (tail.threshold(both, 20) + tail.threshold(alone, 20));
    assert_eq!(verdict(&test, 0.3, Some(between)), Resemblance::Distinct);
    assert_eq!(verdict(&test, 0.01, Some(between)), Resemblance::SameClass);
}

/// The distances of docs/similarity.md, by the null that ships.
#[test]
fn a_copy_that_speaks_differently_is_known_by_its_weights_and_no_honest_model_is() {
    let test = CopyTest::new(NullSample::shipped(), 1);
    let verdict = |behaviour, weights| {
        let judged = test.judge(
            0,
            0,
            measured(behaviour, Some(weights), None),
            SUBNET,
            SUBNET,
        );
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
fn what_two_models_share_beside_the_teacher_decides_alone_and_far_beyond_siblings_only() {
    let test = test(24);
    let verdict = |shared, expected| {
        let measured = Measured {
            expected,
            ..measured(0.3, Some(0.4), shared)
        };
        test.judge(1, 0, measured, 20, 255).resemblance
    };
    assert_eq!(verdict(None, 0.0), Resemblance::Distinct);
    assert_eq!(verdict(Some(0.05), 0.0), Resemblance::Distinct);
    assert_eq!(verdict(Some(0.6), 0.0), Resemblance::SameClass);
    // Beyond the tail, and not by the margin.
    let tail = test.tail(Kind::Innovation).unwrap();
    let bound = 1.0 - tail.threshold(ALPHA_ALONE / 255.0, 20);
    assert!(bound < SHARED, "{bound}");
    assert_eq!(verdict(Some(SHARED - 1e-6), 0.0), Resemblance::Distinct);
    assert_eq!(verdict(Some(SHARED), 0.0), Resemblance::SameClass);
    // Not more than any two have who were trained for as long; or nobody to tell.
    assert_eq!(verdict(Some(0.6), 0.55), Resemblance::Distinct);
    assert_eq!(verdict(Some(0.69), UNTOLD), Resemblance::Distinct);
    assert_eq!(verdict(Some(0.71), UNTOLD), Resemblance::SameClass);
    let without = CopyTest::new(sample(12, 1), 1);
    let measured = measured(0.3, Some(0.4), Some(0.9));
    let judged = without.judge(1, 0, measured, 20, 255);
    assert_eq!(
        (judged.p_shared, judged.resemblance),
        (None, Resemblance::Distinct)
    );
}

/// Students of one teacher that were trained the same way by so much, and have something of their own of length one.
fn trained(teacher: &Owned, common: &[f32], by: f32, seed: u64) -> Owned {
    let mut student = teacher
        .clone()
        .noised(0.1, &mut ChaCha8Rng::seed_from_u64(seed));
    for layer in &mut student.layers {
        let matrices = [&mut layer.gate, &mut layer.up, &mut layer.down];
        for (value, way) in matrices.into_iter().flatten().zip(common) {
            *value += 0.1 * by * way;
        }
    }
    student
}

#[test]
fn who_was_trained_for_long_is_no_copy_of_others_who_were() {
    let (teacher, test) = (Owned::random(1, 2), test(24));
    let reference = teacher.seen(|model| Reference::of(model, 5));
    let mut rng = ChaCha8Rng::seed_from_u64(77);
    let common: Vec<f32> = (0..10_000).map(|_| normal(&mut rng)).collect();
    let of = |student: &Owned| student.seen(|model| reference.innovation(model));
    let judged = |later: &Owned, others: &[Innovation]| {
        let view = |innovation| Model {
            log_probabilities: &[],
            signature: None,
            innovation: Some(innovation),
            is_copy: false,
        };
        let later = of(later);
        let others: Vec<Model<'_>> = others.iter().map(view).collect();
        let found = test.against(&view(&later), &others).unwrap();
        (found.earlier, found.measured, found.resemblance)
    };
    // Some for long and some not at all.
    let by = [1.5, 0.2, 1.5, 0.2, 0.2, 1.0, 0.2, 0.2];
    let students: Vec<Owned> = (2..)
        .zip(by)
        .map(|(seed, by)| trained(&teacher, &common, by, seed))
        .collect();
    let others: Vec<Innovation> = students.iter().map(of).collect();
    let (_, measured, verdict) = judged(&trained(&teacher, &common, 1.5, 50), &others);
    assert!(measured.shared.unwrap() > 0.4, "{measured:?}");
    assert_eq!(verdict, Resemblance::Distinct, "{measured:?}");
    for (index, original) in students.iter().enumerate() {
        let copy = original
            .clone()
            .noised(0.2, &mut ChaCha8Rng::seed_from_u64(60));
        let (earlier, measured, verdict) = judged(&copy, &others);
        let found = (index, Resemblance::SameClass);
        assert_eq!((earlier, verdict), found, "{index} {measured:?}");
    }
    // Nobody else to tell: it takes more than both may have by their training.
    let (_, measured, verdict) = judged(&students[0], &others[2..3]);
    assert_eq!(
        (measured.expected, verdict),
        (UNTOLD, Resemblance::Distinct)
    );
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
        innovation: None,
        is_copy: false,
    };
    let others: Vec<_> = others.iter().map(|it| view(it)).collect();
    let found = test.against(&view(&later), &others).unwrap();
    assert_eq!(
        (found.resemblance, found.measured.weights),
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
    let comparison = test.judge(1, 0, measured(0.0, Some(0.0), None), 5, 255);
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
            innovation: None,
            is_copy: false,
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
        ..test(24).judge(later, earlier, measured(0.01, None, None), 1, 1)
    };
    let comparisons = [
        link(4, 3, Resemblance::SameClass),
        link(3, 1, Resemblance::SameClass),
        link(2, 0, Resemblance::Similar),
    ];
    assert_eq!(classes(5, &comparisons), [0, 1, 2, 1, 1]);
}
