//! Tests of the measured power against servers whose behaviour is known.

use athanor_spec::SubnetSpec;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::synthetic::{self, Server};

const HONEST: Server = Server::Honest { noise: 0.02 };

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn requests(server: Server, count: usize, seed: u64) -> Vec<Vec<TokenObservation>> {
    let mut rng = rng(seed);
    (0..count)
        .map(|_| synthetic::request(server, 16, 1.0, &mut rng))
        .collect()
}

#[test]
fn runs_are_disjoint_and_each_can_be_followed_to_the_limit() {
    let calibration = Calibration::synthetic();
    let forged = requests(Server::IgnoredSeed, 200, 1);
    let waits = tokens_to_evidence(&calibration, [forged.as_slice()], 1e6, 50);
    let used: u64 = waits.runs.iter().map(|run| run.unwrap_or(50)).sum();
    let tokens = 200 * 16;
    assert!(
        used <= tokens && used + 50 > tokens - 50,
        "{used} of {tokens}"
    );
    assert!(waits.runs.len() > 100);
    let wait = waits.summary();
    assert!(
        wait.power_low > 0.95 && wait.median.value < Some(20),
        "{wait:?}"
    );
    let never = tokens_to_evidence(&calibration, [requests(HONEST, 200, 2).as_slice()], 1e6, 50);
    assert_eq!(never.summary().done, 0);
    assert_eq!(never.summary().median.value, None);
    assert!(
        tokens_to_evidence(&calibration, [&forged[..3]], 1e6, 50)
            .runs
            .is_empty()
    );
}

#[test]
fn part_time_cheats_and_turncoats_take_more_openings_than_others() {
    let (calibration, params) = (Calibration::synthetic(), SubnetSpec::local().audit);
    let values = |server, seed| -> Vec<f64> {
        let requests = requests(server, 500, seed);
        requests
            .iter()
            .map(|r| calibration.request_e_value(r))
            .collect()
    };
    let (honest, forged) = (values(HONEST, 3), values(Server::IgnoredSeed, 4));
    let pools = Pools {
        honest: &honest,
        forged: &forged,
    };
    let median = |honest_first, share| {
        let habit = Habit {
            honest_first,
            share,
        };
        let waits = openings_to_verdict(&params, pools, habit, (50, 1_000), &mut rng(5));
        waits.summary().median.value.unwrap()
    };
    let always = median(0, 1.0);
    assert!(always > 1, "one opening never condemns");
    assert!(median(0, 0.1) > median(0, 0.3) && median(0, 0.3) > always);
    assert!(median(500, 1.0) > always);
    let honest_only = Habit {
        honest_first: 0,
        share: 0.0,
    };
    let waits = openings_to_verdict(&params, pools, honest_only, (50, 200), &mut rng(6));
    assert_eq!(waits.summary().done, 0);
}

#[test]
fn honest_servers_are_measured_to_be_honest_and_forgers_are_not() {
    let (calibration, params) = (Calibration::synthetic(), SubnetSpec::local().audit);
    let servers = [requests(HONEST, 250, 7), requests(HONEST, 250, 8)];
    let found = honest(
        &calibration,
        &params,
        servers.iter().map(Vec::as_slice),
        100,
    );
    assert_eq!((found.requests, found.tokens, found.lives), (500, 8_000, 6));
    assert_eq!((found.flagged, found.condemned), (0, 0));
    // The rule of three.
    assert!((found.flagged_high * 500.0 - 3.0).abs() < 0.02);
    assert!(found.mean_e_value <= 1.0 && found.mean_high >= found.mean_e_value);
    assert!(found.mismatched > 0.0 && found.mismatched < 0.05);
    let forged = requests(Server::IgnoredSeed, 250, 9);
    let found = honest(&calibration, &params, [forged.as_slice()], 100);
    assert_eq!((found.condemned, found.lives), (3, 3));
    assert!(found.highest >= 1e6 && found.condemned_high == 1.0);
}

#[test]
fn who_steers_as_often_as_noise_does_is_not_found_and_who_steers_more_is() {
    let calibration = Calibration::synthetic();
    let bins = &calibration.bins;
    let noisy = requests(HONEST, 2_000, 10);
    let exact = requests(Server::Honest { noise: 0.0 }, 2_000, 11);
    let rates = flip_rates(bins, &noisy);
    assert!(
        rates[0] > 0.1 && rates[0] < 0.6 && rates[7] == 0.0,
        "{rates:?}"
    );
    let (quiet, bits) = steered(bins, &exact, &rates, &mut rng(12));
    assert!(bits > 0.0 && bits < 0.1, "{bits} bits per token");
    let mean = |requests: &[Vec<TokenObservation>]| {
        let values = requests.iter().map(|r| calibration.request_e_value(r));
        values.sum::<f64>() / requests.len() as f64
    };
    assert!(mean(&quiet) <= 1.0, "{}", mean(&quiet));
    let always = vec![0.5; bins.gap.len()];
    let (loud, more) = steered(bins, &exact, &always, &mut rng(13));
    assert!((more - 1.0).abs() < 1e-9);
    assert!(mean(&loud) > 100.0);
}
