//! Tests of quality, liveliness and service.

use athanor_spec::SubnetSpec;
use proptest::prelude::*;

use super::*;

fn params() -> GradeParams {
    SubnetSpec::local().grade
}

fn axes(fidelity: f64, correctness: f64, service: f64) -> Axes {
    Axes {
        fidelity: Some(fidelity),
        correctness: Some(correctness),
        service: Some(service),
    }
}

fn close(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-9, "{left} is not {right}");
}

fn text(tokens: &[u32], finish: Finish) -> Text<'_> {
    Text { tokens, finish }
}

#[test]
fn quality_mixes_the_worst_axis_with_the_weighted_mean() {
    let weighted = 0.5 * 0.8 + 0.3 * 0.4 + 0.2 * 1.0;
    close(
        quality(&axes(0.8, 0.4, 1.0), 1.0, &params()),
        0.5 * 0.4 + 0.5 * weighted,
    );
    let two = GradeParams {
        worst_axes: 2,
        ..params()
    };
    close(
        quality(&axes(0.8, 0.4, 1.0), 1.0, &two),
        0.5 * 0.6 + 0.5 * weighted,
    );
}

#[test]
fn liveliness_caps_quality() {
    close(quality(&axes(1.0, 1.0, 1.0), 0.25, &params()), 0.25);
}

#[test]
fn an_axis_that_was_not_measured_is_unpaid_unless_it_does_not_count() {
    let unmeasured = Axes {
        correctness: None,
        ..axes(1.0, 0.0, 1.0)
    };
    close(quality(&unmeasured, 1.0, &params()), 0.5 * 0.0 + 0.5 * 0.7);
    let without = GradeParams {
        correctness_weight: 0.0,
        ..params()
    };
    close(quality(&unmeasured, 1.0, &without), 1.0);
    close(ask_quality(&unmeasured, 1.0, &params()), 1.0);
    close(ask_quality(&Axes::default(), 1.0, &params()), 0.0);
}

#[test]
fn a_loop_is_not_alive_and_plain_text_is() {
    let plain: Vec<u32> = (0..40).collect();
    let looped = [7, 8].repeat(20);
    close(
        liveliness(text(&plain, Finish::Length), None, &params()),
        1.0,
    );
    let dead = liveliness(text(&looped, Finish::Length), None, &params());
    assert!(dead < 0.1, "{dead}");
    close(liveliness(text(&[], Finish::Stop), None, &params()), 0.0);
    close(liveliness(text(&[5], Finish::Stop), None, &params()), 1.0);
}

#[test]
fn what_the_teacher_repeats_may_be_repeated() {
    let looped = [7, 8].repeat(20);
    let reference = Some(text(&looped, Finish::Length));
    close(
        liveliness(text(&looped, Finish::Length), reference, &params()),
        1.0,
    );
}

#[test]
fn running_into_the_limit_costs_only_where_the_teacher_ended() {
    let tokens: Vec<u32> = (0..10).collect();
    let answer = text(&tokens, Finish::Length);
    let check = |reference, expected| close(liveliness(answer, reference, &params()), expected);
    check(Some(text(&[1, 2], Finish::Stop)), params().missing_end);
    check(Some(text(&[1, 2], Finish::Length)), 1.0);
    check(None, 1.0);
}

#[test]
fn service_has_a_dead_zone_a_slope_and_an_end() {
    // 2,500 ms to the first token and 80 ms for each of the other ten are good enough, three times that is the end.
    let params = SubnetSpec::local().service;
    let check = |first_token_ms, rest_ms, expected| {
        let timing = Timing {
            first_token_ms,
            elapsed_ms: first_token_ms + rest_ms,
            tokens: 11,
        };
        close(service(timing, &params), expected);
    };
    check(0, 0, 1.0);
    check(2_500, 800, 1.0);
    check(5_000, 0, 0.5);
    check(2_500, 1_600, 0.5);
    check(5_000, 2_000, 0.25);
    check(7_500, 0, 0.0);
    check(0, 2_400, 0.0);
}

#[test]
fn an_answer_that_came_at_once_is_judged_by_its_first_token() {
    let params = SubnetSpec::local().service;
    for tokens in [0, 1, 30] {
        let at_once = |elapsed_ms| Timing {
            first_token_ms: elapsed_ms,
            elapsed_ms,
            tokens,
        };
        close(service(at_once(5_000), &params), 0.5);
        close(service(at_once(100), &params), 1.0);
    }
    let backwards = Timing {
        first_token_ms: u64::MAX,
        elapsed_ms: 1,
        tokens: 1,
    };
    close(service(backwards, &params), 0.0);
}

#[test]
fn availability_is_credited_as_far_as_it_was_seen() {
    close(availability_low(0.0, 0.0), 0.05);
    close(availability_low(24.0, 24.0), 0.05_f64.powf(1.0 / 25.0));
    assert!(availability_low(12.0, 24.0) < 0.5);
    assert!(availability_low(200.0, 200.0) > 0.98);
    close(availability_low(f64::NAN, 1.0), 0.0);
}

proptest! {
    #[test]
    fn quality_is_bounded_and_grows_with_every_axis(
        values in prop::array::uniform4(0.0_f64..=1.0),
        step in 0.0_f64..=1.0,
        axis in 0_usize..4,
    ) {
        let of = |v: [f64; 4]| quality(&axes(v[0], v[1], v[2]), v[3], &params());
        let mut better = values;
        better[axis] += (1.0 - better[axis]) * step;
        prop_assert!((0.0..=1.0).contains(&of(values)));
        prop_assert!(of(better) >= of(values) - 1e-12);
    }

    #[test]
    fn slower_is_never_better(
        first in 0_u64..10_000,
        rest in 0_u64..10_000,
        more in 0_u64..10_000,
        tokens in 0_u32..100,
    ) {
        let params = SubnetSpec::local().service;
        let of = |first_token_ms, rest| {
            let elapsed_ms = first_token_ms + rest;
            service(Timing { first_token_ms, elapsed_ms, tokens }, &params)
        };
        let fast = of(first, rest);
        prop_assert!((0.0..=1.0).contains(&fast));
        prop_assert!(of(first + more, rest) <= fast && of(first, rest + more) <= fast);
    }
}

#[test]
fn the_quantile_is_that_of_the_general_algorithm() {
    use statrs::distribution::{Beta, ContinuousCDF as _};

    let mut largest = 0.0_f64;
    for asked in [0.0, 0.3, 1.0, 4.7, 24.0, 60.1, 150.0, 400.0, 5_000.0] {
        for share in [0.0, 1e-9, 0.003, 0.1, 0.37, 0.5, 0.9, 0.98, 0.999, 1.0] {
            let (a, b): (f64, f64) = (1.0 + asked * share, 1.0 + asked - asked * share);
            let found = beta_quantile(a, b, 0.05);
            let expected = Beta::new(a, b).unwrap().inverse_cdf(0.05);
            let error = (found - expected).abs() / expected;
            assert!(error < 1e-7, "{a}, {b}: {found}, expected {expected}");
            largest = largest.max(error);
        }
    }
    println!("largest relative error {largest:.1e}");
}
