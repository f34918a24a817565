//! The rate rises, holds and falls as asked.

use super::*;

fn schedule(decay: Decay) -> Schedule {
    Schedule {
        rate: 2.0,
        warm_up: 4,
        decay,
    }
}

fn check(decay: Decay, expected: [f64; 5]) {
    let rates = [0.0, 0.25, 0.5, 0.75, 1.0].map(|done| schedule(decay).at(1000, done));
    for (rate, expected) in rates.into_iter().zip(expected) {
        assert!((rate - expected).abs() < 1e-9, "{decay:?}: {rates:?}");
    }
}

#[test]
fn the_rate_warms_up_evenly_and_then_holds() {
    let schedule = schedule(Decay::Constant);
    let rates: Vec<f64> = (0..6).map(|step| schedule.at(step, 0.0)).collect();
    assert_eq!(rates, [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]);
    check(Decay::Constant, [2.0; 5]);
}

#[test]
fn a_cosine_falls_slowly_fast_and_slowly_again() {
    let quarter = 0.5 * (1.0 + std::f64::consts::FRAC_1_SQRT_2);
    let between = |x: f64| 0.2 + 1.8 * x;
    check(
        Decay::Cosine { floor: 0.1 },
        [
            2.0,
            between(quarter),
            between(0.5),
            between(1.0 - quarter),
            0.2,
        ],
    );
}

#[test]
fn warm_up_stable_decay_falls_at_the_end_only() {
    let decay = Decay::Wsd {
        share: 0.5,
        floor: 0.0,
    };
    check(decay, [2.0, 2.0, 2.0, 1.0, 0.0]);
}

#[test]
fn numbers_that_make_no_schedule_are_refused() {
    let refused = |rate, decay| {
        let schedule = Schedule {
            rate,
            warm_up: 0,
            decay,
        };
        schedule.check().unwrap_err()
    };
    assert_eq!(refused(0.0, Decay::Constant), ScheduleError::Rate(0.0));
    assert!(matches!(
        refused(f64::NAN, Decay::Constant),
        ScheduleError::Rate(_)
    ));
    assert_eq!(
        refused(1.0, Decay::Cosine { floor: 1.5 }),
        ScheduleError::Floor(1.5)
    );
    let wsd = |share, floor| Decay::Wsd { share, floor };
    assert_eq!(refused(1.0, wsd(0.0, 0.1)), ScheduleError::Share(0.0));
    assert_eq!(refused(1.0, wsd(0.5, -0.1)), ScheduleError::Floor(-0.1));
    assert!(schedule(wsd(1.0, 0.0)).check().is_ok());
}
