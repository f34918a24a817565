//! A null tells its resolution, and its tail covers what it was fitted on.

use super::*;
use crate::synthetic::normal;

/// Siblings at points of a line with noise per pair, as distances that share models are.
pub(crate) fn sample(models: usize, seed: u64) -> NullSample {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let place: Vec<f64> = (0..models)
        .map(|_| 0.1 * f64::from(normal(&mut rng)))
        .collect();
    let mut pairs = Vec::new();
    for b in 0..models {
        for a in 0..b {
            let mut log = || place[a] + place[b] + 0.1 * f64::from(normal(&mut rng));
            pairs.push(SiblingPair {
                a: a as u32,
                b: b as u32,
                behaviour: 0.3 * log().exp(),
                weights: Some(0.4 * log().exp()),
                shared: Some(1.0 - 0.95 * (0.1 * log()).exp()),
            });
        }
    }
    NullSample {
        source: "points on a line".into(),
        teacher: "nobody".into(),
        command: "none".into(),
        seed: 1,
        models: (0..models).map(|i| i.to_string()).collect(),
        pairs,
    }
}

#[test]
fn a_conformal_p_value_cannot_get_below_its_resolution() {
    let null = sample(24, 1);
    assert_eq!(null.conformal_p(Kind::Behaviour, 0.0, 1), 1.0 / 25.0);
    assert_eq!(null.smallest_p(Kind::Behaviour, 23), 1.0 / 25.0);
    // 255 models to be near to are 12 groups of 23.
    assert_eq!(null.smallest_p(Kind::Behaviour, 255), 12.0 / 25.0);
    assert_eq!(null.conformal_p(Kind::Behaviour, 10.0, 1), 1.0);
}

#[test]
fn a_new_sibling_s_p_value_is_at_most_rarely_small() {
    let (trials, mut small) = (2000, 0);
    for trial in 0..trials {
        let all = sample(22, 1000 + trial);
        let newest = 21_u32;
        let distance = all
            .pairs
            .iter()
            .filter(|pair| pair.b == newest)
            .map(|pair| pair.behaviour)
            .fold(f64::INFINITY, f64::min);
        let mut null = all.clone();
        null.models.truncate(21);
        null.pairs.retain(|pair| pair.b < newest);
        small += usize::from(null.conformal_p(Kind::Behaviour, distance, 21) <= 0.1);
    }
    // Two groups are paid for 21 earlier models of which the null's had 20, so the rate is near a half of 0.1.
    assert!((small as f64) < 0.1 * f64::from(trials as u32), "{small}");
    assert!(small > 20, "{small}");
}

#[test]
fn the_tail_s_bound_covers_the_true_probability() {
    // ln(distance / 0.3) is normal with variance 0.03; the 1e-4 quantile is 3.719 deviations below.
    let (sd, truth) = (0.03_f64.sqrt(), 1e-4);
    let distance = 0.3 * (-3.719 * sd).exp();
    let covered = (0..200)
        .filter(|seed| {
            let tail = sample(24, *seed)
                .tail(Kind::Behaviour, 1)
                .expect("24 siblings are enough");
            tail.p_bound(distance, 1) >= truth
        })
        .count();
    assert!(covered >= 184, "{covered} of 200");
}

#[test]
fn the_threshold_is_where_the_bound_is() {
    let tail = sample(24, 3)
        .tail(Kind::Weights, 1)
        .expect("24 siblings are enough");
    let threshold = tail.threshold(1e-5, 100);
    assert!(tail.p_bound(threshold * 0.999, 100) <= 1e-5);
    assert!(tail.p_bound(threshold * 1.01, 100) > 1e-5);
    assert!(tail.ks < 0.15, "{}", tail.ks);
}

#[test]
fn a_small_null_has_no_tail() {
    assert_eq!(sample(20, 1).tail(Kind::Behaviour, 1), None);
}

#[test]
fn the_shipped_null_is_read_and_large_enough() {
    let null = NullSample::shipped();
    assert!(null.siblings() >= MIN_MODELS);
    assert_eq!(
        null.pairs.len(),
        null.siblings() * (null.siblings() - 1) / 2
    );
    for kind in [Kind::Behaviour, Kind::Weights, Kind::Innovation] {
        assert!(null.tail(kind, 1).is_some());
    }
    let again = NullSample::from_json(&null.to_json().expect("plain numbers encode"));
    assert_eq!(again.expect("what was written is read"), null);
}

#[test]
fn a_broken_null_is_refused_by_name() {
    let broken = |change: fn(&mut NullSample)| {
        let mut null = sample(3, 1);
        change(&mut null);
        NullSample::from_json(&null.to_json().expect("plain numbers encode"))
    };
    assert!(matches!(
        broken(|null| null.pairs[0].b = 7),
        Err(NullError::Pair { b: 7, .. })
    ));
    assert!(matches!(
        broken(|null| null.pairs[1] = null.pairs[0]),
        Err(NullError::Pair { .. })
    ));
    assert!(matches!(
        broken(|null| null.pairs[0].behaviour = -1.0),
        Err(NullError::Distance(_))
    ));
    assert!(matches!(
        NullSample::from_json("{}"),
        Err(NullError::Json(_))
    ));
}
