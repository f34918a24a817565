//! Tests of the audit's evidence: bounds, error rates and power.

use athanor_spec::{SubnetSpec, params::AuditParams};
use codec::{Decode, Encode};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    bounds::{clopper_pearson_lower, clopper_pearson_upper, empirical_bernstein, quantile},
    *,
};
use crate::synthetic::{self, Server};

const TOKENS: usize = 32;
const HONEST: Server = Server::Honest { noise: 0.02 };
const SIBLING: Server = Server::OtherCheckpoint { difference: 0.4 };

fn params() -> AuditParams {
    SubnetSpec::local().audit
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn token(margin: f32, gap: f32) -> TokenObservation {
    TokenObservation { margin, gap }
}

fn check_power(name: &str, server: Server, goal: usize) {
    let calibration = Calibration::synthetic();
    let mut rng = rng(11);
    for run in 0..40 {
        let mut products = calibration.products();
        let reached = (1..=goal).find(|_| {
            products.push(synthetic::request(server, 1, 1.0, &mut rng)[0]);
            products.log_e_value() >= 1e6_f64.ln()
        });
        assert!(
            reached.is_some(),
            "{name}: run {run} needs more than {goal} tokens"
        );
    }
}

#[test]
fn forgers_are_found_within_the_goals() {
    check_power("ignored seed", Server::IgnoredSeed, 50);
    check_power("greedy", Server::Greedy, 100);
    check_power("sibling", SIBLING, 1_000);
    check_power(
        "4-bit weights",
        Server::OtherCheckpoint { difference: 0.25 },
        1_000,
    );
    check_power("colder", Server::OtherTemperature { factor: 0.9 }, 2_000);
    check_power("hotter", Server::OtherTemperature { factor: 1.1 }, 2_000);
}

#[test]
fn the_mean_of_honest_e_values_is_at_most_one_on_held_out_requests() {
    let calibration = Calibration::synthetic();
    let mut rng = rng(12);
    for noise in [0.0, 1e-5, 0.02] {
        for temperature in [0.6, 0.8, 1.0] {
            let server = Server::Honest { noise };
            let mut sum = 0.0;
            for _ in 0..1_500 {
                let tokens = synthetic::request(server, TOKENS, temperature, &mut rng);
                sum += calibration.request_e_value(&tokens);
            }
            let mean = sum / 1_500.0;
            assert!(
                mean <= 1.0,
                "noise {noise}, temperature {temperature}: mean {mean}"
            );
        }
    }
}

#[test]
fn honest_hotkeys_are_not_condemned() {
    let (calibration, params, mut rng) = (Calibration::synthetic(), params(), rng(13));
    for _ in 0..20 {
        let mut evidence = HotkeyEvidence::default();
        for _ in 0..300 {
            let tokens = synthetic::request(HONEST, TOKENS, 0.8, &mut rng);
            evidence.observe(&params, calibration.request_e_value(&tokens));
        }
        assert!(!evidence.condemned(&params));
        assert!(
            evidence.e_value(&params) < 100.0,
            "{}",
            evidence.e_value(&params)
        );
    }
}

#[test]
fn an_honest_past_buys_little_credit() {
    let (calibration, params, mut rng) = (Calibration::synthetic(), params(), rng(14));
    let mut evidence = HotkeyEvidence::default();
    let observe = |evidence: &mut HotkeyEvidence, server, rng: &mut ChaCha8Rng| {
        let tokens = synthetic::request(server, TOKENS, 1.0, rng);
        evidence.observe(&params, calibration.request_e_value(&tokens));
    };
    for _ in 0..1_000 {
        observe(&mut evidence, HONEST, &mut rng);
    }
    for _ in 0..40 {
        observe(&mut evidence, SIBLING, &mut rng);
    }
    assert!(evidence.condemned(&params));
}

#[test]
fn a_part_time_cheat_is_found() {
    let (calibration, params, mut rng) = (Calibration::synthetic(), params(), rng(15));
    for (share, openings) in [(0.1, 500), (0.3, 120), (1.0, 20)] {
        let mut evidence = HotkeyEvidence::default();
        for _ in 0..openings {
            let server = if rng.random_bool(share) {
                SIBLING
            } else {
                HONEST
            };
            let tokens = synthetic::request(server, TOKENS, 1.0, &mut rng);
            evidence.observe(&params, calibration.request_e_value(&tokens));
        }
        assert!(
            evidence.condemned(&params),
            "{share} of the requests, {openings} openings"
        );
    }
}

#[test]
fn one_request_alone_never_condemns_and_a_verdict_is_for_life() {
    let (calibration, params) = (Calibration::synthetic(), params());
    let forged = vec![token(5.0, 0.5); 64];
    let e_value = calibration.request_e_value(&forged);
    assert!((e_value - calibration.cap / calibration.normaliser).abs() < 1e-6);
    let mut evidence = HotkeyEvidence::default();
    evidence.observe(&params, e_value);
    assert!(!evidence.condemned(&params));
    for _ in 0..10 {
        evidence.observe(&params, e_value);
    }
    assert!(evidence.condemned(&params));
    for _ in 0..5_000 {
        evidence.observe(&params, 0.0);
    }
    assert!(evidence.e_value(&params) < 1.0);
    assert!(evidence.condemned(&params));
}

#[test]
fn evidence_survives_encoding_and_a_change_of_the_assumed_shares() {
    let mut params = params();
    let mut evidence = HotkeyEvidence::default();
    for e_value in [3.0, 0.2, f64::NAN, 40.0] {
        evidence.observe(&params, e_value);
    }
    assert_eq!(
        HotkeyEvidence::decode(&mut &evidence.encode()[..]),
        Ok(evidence.clone())
    );
    assert_eq!(evidence.requests(), 4);
    params.dishonest_shares = vec![0.1, 0.5];
    let kept: f64 = [3.0, 0.2, 1.0, 40.0]
        .map(|e| 0.9 + 0.1 * e)
        .iter()
        .product();
    assert!((evidence.e_value(&params) - (kept + 1.0) / 2.0).abs() < 1e-9);
}

#[test]
fn own_draws_speak_for_the_server_and_misses_at_large_gaps_against_it() {
    let calibration = Calibration::synthetic();
    for gap in [0.005, 0.02, 0.05, 0.2, 0.5, 2.0, 5.0, 20.0] {
        assert!(
            calibration.log_e_value(&[token(0.0, gap)]) < 0.0,
            "gap {gap}"
        );
    }
    for (margin, gap) in [(0.6, 0.5), (1.5, 0.5), (1.5, 1.4), (4.0, 3.5)] {
        assert!(
            calibration.log_e_value(&[token(margin, gap)]) > 20_f64.ln(),
            "margin {margin}"
        );
    }
}

#[test]
fn near_certain_tokens_do_not_drown_the_evidence_of_the_others() {
    let calibration = Calibration::synthetic();
    let telling = vec![token(1.5, 0.5); 3];
    let mut diluted = telling.clone();
    diluted.extend(vec![token(0.0, 12.0); 60]);
    let lost = calibration.log_e_value(&telling) - calibration.log_e_value(&diluted);
    assert!(lost < 1.0, "{lost} nats lost");
}

#[test]
fn a_token_without_a_number_and_an_empty_answer_are_no_evidence() {
    let calibration = Calibration::synthetic();
    assert_eq!(calibration.request_e_value(&[]), 1.0);
    let known = [token(0.0, 0.5)];
    let with_gaps = [token(f32::NAN, 0.5), known[0], token(0.0, f32::NAN)];
    assert_eq!(
        calibration.log_e_value(&known),
        calibration.log_e_value(&with_gaps)
    );
}

#[test]
fn cells_are_closed_below_and_open_above() {
    let bins = Bins::standard();
    let check = |margin, gap, expected: (usize, usize)| {
        let cell = bins.cell(token(margin, gap)).unwrap();
        assert_eq!(
            (cell.margin, cell.gap),
            expected,
            "margin {margin}, gap {gap}"
        );
    };
    check(0.0, 0.0, (0, 0));
    check(0.0099, 0.0099, (0, 0));
    check(0.01, 0.01, (1, 1));
    check(2.55, 0.99, (8, 4));
    check(2.56, 1.0, (9, 5));
    check(f32::INFINITY, f32::INFINITY, (9, 7));
    check(-1.0, -1.0, (0, 0));
}

#[test]
fn the_clopper_pearson_bound_has_its_textbook_values() {
    let check = |count, total, delta, expected: f64| {
        let bound = clopper_pearson_upper(count, total, delta);
        assert!(
            (bound - expected).abs() < 1e-4,
            "{count} of {total}: {bound}, not {expected}"
        );
    };
    check(0, 100, 0.025, 0.0362);
    check(3, 100, 0.025, 0.0852);
    check(50, 100, 0.025, 0.6017);
    check(100, 100, 0.025, 1.0);
    check(0, 0, 0.025, 1.0);
    check(1, 1_000_000, 1e-7, 0.0000191);
}

#[test]
fn the_lower_bound_mirrors_the_upper_one() {
    assert!((clopper_pearson_lower(97, 100, 0.025) - (1.0 - 0.0852)).abs() < 1e-4);
    assert_eq!(clopper_pearson_lower(0, 100, 0.025), 0.0);
    assert_eq!(clopper_pearson_lower(0, 0, 0.025), 0.0);
}

#[test]
fn the_bounds_of_a_quantile_hold_as_often_as_they_say() {
    // Uniform on 0..10_000: the quantile itself is known.
    let mut rng = rng(21);
    let (mut above, mut below) = (0, 0);
    for _ in 0..400 {
        let runs: Vec<Option<u64>> = (0..400)
            .map(|_| Some(rng.random_range(0..10_000)))
            .collect();
        let found = quantile(&runs, 0.9, 0.05);
        above += u32::from(found.low > Some(9_000));
        below += u32::from(found.high < Some(8_999));
    }
    assert!(
        above <= 35 && below <= 35,
        "{above} and {below} of 400 are wrong"
    );
    assert!(above + below >= 8, "the interval is wider than it must be");
}

#[test]
fn a_quantile_beyond_what_was_followed_is_not_made_up() {
    let mut runs = vec![Some(3); 95];
    runs.extend([None; 5]);
    let p99 = quantile(&runs, 0.99, 0.05);
    assert_eq!((p99.value, p99.high), (None, None));
    assert_eq!(quantile(&runs, 0.5, 0.05).value, Some(3));
    // The classic count: 299 runs are needed before the largest bounds the 99th percentile.
    let high = |n| quantile(&vec![Some(7); n], 0.99, 0.05).high;
    assert_eq!((high(298), high(299)), (None, Some(7)));
    assert_eq!(quantile(&[], 0.5, 0.05).value, None);
}

#[test]
fn the_empirical_bernstein_bound_covers_a_rare_large_value() {
    let mut rng = rng(16);
    let mut below = 0;
    for _ in 0..400 {
        let values: Vec<f64> = (0..500)
            .map(|_| if rng.random_bool(0.02) { 50.0 } else { 0.0 })
            .collect();
        below += u32::from(empirical_bernstein(&values, 50.0, 0.05) < 1.0);
    }
    assert!(
        below <= 20,
        "the bound was below the mean in {below} of 400 runs"
    );
}

fn small_input(seed: u64) -> FitInput {
    let mut rng = rng(seed);
    let mut requests = |server, count: usize| -> Vec<Vec<TokenObservation>> {
        (0..count)
            .map(|_| synthetic::request(server, 16, 1.0, &mut rng))
            .collect()
    };
    FitInput {
        source: "test".to_owned(),
        command: "cargo test".to_owned(),
        delta: 1e-3,
        lowest_temperature_milli: 700,
        honest: vec![HonestGroup {
            name: "cpu".to_owned(),
            requests: requests(Server::Honest { noise: 1e-5 }, 600),
        }],
        forgers: vec![
            ForgerGroup {
                name: "sibling".to_owned(),
                weight: 3.0,
                requests: requests(SIBLING, 200),
            },
            ForgerGroup {
                name: "silent".to_owned(),
                weight: 1.0,
                requests: Vec::new(),
            },
        ],
        ..FitInput::default()
    }
}

#[test]
fn a_fit_on_few_requests_is_valid_cautious_and_repeatable() {
    let calibration = Calibration::fit(&small_input(17)).unwrap();
    assert_eq!(calibration, Calibration::fit(&small_input(17)).unwrap());
    assert_eq!(calibration.cap, 7.5);
    assert!(calibration.normaliser >= 1.0);
    assert_eq!(calibration.alternatives[0].weight, 0.75);
    assert_eq!(calibration.provenance.honest[0].tokens, 600 * 16);
    let read = Calibration::from_json(&calibration.to_json().unwrap()).unwrap();
    assert!(read.covers(700) && read.covers(1500) && !read.covers(699) && !read.covers(0));
    assert!(Calibration::synthetic().covers(1) && !Calibration::synthetic().covers(0));
    let tokens = synthetic::request(SIBLING, 16, 1.0, &mut rng(18));
    assert!((read.log_e_value(&tokens) - calibration.log_e_value(&tokens)).abs() < 1e-9);
    // Silent forgers are given what honest servers show, so they neither accuse nor excuse.
    let silent = &calibration.alternatives[1];
    assert!(silent.density[4][0] > 0.7);
}

#[test]
fn a_fit_refuses_what_supports_no_bound() {
    let check = |change: fn(&mut FitInput), expected: FitError| {
        let mut input = small_input(19);
        change(&mut input);
        assert_eq!(Calibration::fit(&input), Err(expected));
    };
    check(|i| i.honest.clear(), FitError::NoHonestGroup);
    check(|i| i.forgers.clear(), FitError::NoForger);
    check(|i| i.delta = 0.0, FitError::Delta { delta: 0.0 });
    check(
        |i| i.honest[0].requests.truncate(199),
        FitError::TooFewRequests {
            group: "cpu".to_owned(),
            found: 199,
            needed: 200,
        },
    );
    check(
        |i| i.forgers[0].weight = -1.0,
        FitError::Weight {
            forger: "sibling".to_owned(),
            weight: -1.0,
        },
    );
}

#[test]
fn the_calibrations_that_ship_keep_their_own_rules() {
    for calibration in [Calibration::shipped(), Calibration::synthetic()] {
        let smallest = calibration
            .provenance
            .honest
            .iter()
            .map(|g| g.requests / 2)
            .min()
            .unwrap();
        assert!(calibration.cap <= smallest as f64 / 10.0);
        assert_eq!(calibration.bins, Bins::standard());
        for row in &calibration.honest_bound {
            assert!(row.iter().sum::<f64>() >= 1.0);
        }
    }
}

#[test]
fn a_damaged_calibration_is_refused() {
    let check = |change: fn(&mut Calibration), expected: &str| {
        let mut calibration = Calibration::synthetic();
        change(&mut calibration);
        let error = Calibration::from_json(&calibration.to_json().unwrap()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(|c| c.honest_bound[0][0] = 0.0, "honest_bound");
    check(|c| c.alternatives[0].density[1][0] += 0.1, "ignored_seed");
    check(|c| c.alternatives[0].weight = 0.9, "add up");
    check(|c| c.cap = 0.5, "cap");
    check(|c| c.cap = 1_001.0, "at most 1000");
    check(|c| c.provenance.honest[0].requests = 18_000, "at most 900");
    check(|c| c.bins.gap[0] = 0.5, "cells");
    assert!(Calibration::from_json("{}").is_err());
}
