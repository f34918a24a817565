//! Print how often the tests for collusion accuse honest populations, and what they find of dishonest ones.
//!
//! `cargo run -p athanor-scoring --example collusion-power [RUNS]` (400 runs by default: some minutes). Populations are
//! those of `athanor_scoring::collusion::population`; the same number of runs gives the same table. Bounds are
//! Clopper-Pearson at 95 %.

use athanor_scoring::collusion::{
    cabal, latency, lazy, leak,
    population::{self, Gaps, Grading, Latencies, Load},
    shared_backend,
    weight_copying::{self, Standing},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{Beta, ContinuousCDF};

const RATE: f64 = 0.05;

fn main() {
    let runs: u64 = std::env::args()
        .nth(1)
        .and_then(|runs| runs.parse().ok())
        .unwrap_or(400);
    println!(
        "{:70} {:>7} {:>6}  rate, 95 % bounds",
        "population", "events", "of"
    );
    shared_backends(runs);
    latencies(runs / 4);
    leaks(runs);
    copying(runs);
    cabals(runs);
    lazy_validators(runs * 10);
}

/// Prints one line: what was seen in how many of so many.
fn line(population: &str, events: u64, of: u64) {
    let (events_f, of_f) = (events as f64, of as f64);
    let quantile =
        |a: f64, b: f64, at: f64| Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(at));
    let low = if events == 0 {
        0.0
    } else {
        quantile(events_f, of_f - events_f + 1.0, 0.025)
    };
    let high = if events == of {
        1.0
    } else {
        quantile(events_f + 1.0, of_f - events_f, 0.975)
    };
    println!(
        "{population:70} {events:>7} {of:>6}  {:.4} ({low:.4} to {high:.4})",
        events_f / of_f.max(1.0)
    );
}

fn rng(test: u64, run: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(test << 32 | run)
}

fn shared_backends(runs: u64) {
    let honest = Load {
        miners: 64,
        blocks: 60,
        noise: 0.3,
        shared: 0,
        slowdown: 0.0,
    };
    let rejected = |load: &Load, run| {
        let found = shared_backend::test(&population::load_blocks(load, &mut rng(1, run)), RATE);
        let pairs: Vec<_> = found
            .iter()
            .filter(|f| f.rejected)
            .map(|f| (f.pair.a, f.pair.b))
            .collect();
        pairs
    };
    let accused = (0..runs)
        .filter(|run| !rejected(&honest, *run).is_empty())
        .count();
    line(
        "shared backend: honest, 64 miners, 60 blocks, sd 0.3: any pair",
        accused as u64,
        runs,
    );
    for slowdown in [0.1, 0.2, 0.35, 0.69] {
        for blocks in [20, 40, 80] {
            let load = Load {
                blocks,
                shared: 1,
                slowdown,
                ..honest
            };
            let hits = (0..runs)
                .filter(|run| rejected(&load, *run).contains(&(0, 1)))
                .count();
            let name =
                format!("shared backend: log-rate -{slowdown} together, {blocks} blocks: found");
            line(&name, hits as u64, runs);
        }
    }
}

fn latencies(runs: u64) {
    let pairs = 24 * 23 / 2;
    for autocorrelation in [0.0, 0.5, 0.9] {
        let honest = Latencies {
            autocorrelation,
            ..Latencies::honest(24, 192)
        };
        let small: usize = (0..runs)
            .map(|run| {
                let timings = population::latencies(&honest, &mut rng(2, run));
                let screened = latency::test(&timings, 24, 192, RATE);
                screened
                    .pairs
                    .iter()
                    .filter(|pair| pair.p_value <= 0.01)
                    .count()
            })
            .sum();
        let name = format!(
            "coupled latency: honest, autocorrelation {autocorrelation}: pairs at p <= 0.01"
        );
        line(&name, small as u64, runs * pairs);
    }
    for coupling in [0.2, 0.4, 0.6, 0.8] {
        let coupled = Latencies {
            coupled: 1,
            coupling,
            ..Latencies::honest(24, 192)
        };
        let hits = (0..runs)
            .filter(|run| {
                let timings = population::latencies(&coupled, &mut rng(3, *run));
                let screened = latency::test(&timings, 24, 192, RATE);
                let named = |pair: &latency::Coupled| {
                    (pair.pair.a, pair.pair.b) == (0, 1) && pair.p_value <= 0.01
                };
                screened.pairs.iter().any(named)
            })
            .count();
        let name = format!(
            "coupled latency: {coupling} of the load's variance shared: named at p <= 0.01"
        );
        line(&name, hits as u64, runs);
    }
}

fn leaks(runs: u64) {
    let honest = Gaps {
        miners: 32,
        pairs: 100,
        shift: 0.2,
        noise: 0.3,
        memorisers: 0,
        gain: 0.0,
    };
    let flagged = |gaps: &Gaps, run| {
        let all = population::gaps(gaps, &mut rng(4, run));
        let views: Vec<&[f32]> = all.iter().map(Vec::as_slice).collect();
        let found = leak::test(&views, RATE, run);
        found
            .iter()
            .filter(|leak| leak.flagged)
            .map(|leak| leak.miner)
            .collect::<Vec<_>>()
    };
    let accused = (0..runs)
        .filter(|run| !flagged(&honest, *run).is_empty())
        .count();
    line(
        "leaked prompts: honest, 32 miners, 100 pairs, shift 0.2: any miner",
        accused as u64,
        runs,
    );
    for gain in [0.05, 0.1, 0.15, 0.2, 0.3] {
        let leaked = Gaps {
            memorisers: 1,
            gain,
            ..honest
        };
        let hits = (0..runs)
            .filter(|run| flagged(&leaked, *run).contains(&0))
            .count();
        line(
            &format!("leaked prompts: {gain} better on public prompts: flagged"),
            hits as u64,
            runs,
        );
    }
}

const GRADING: Grading = Grading {
    validators: 16,
    miners: 60,
    epochs: 8,
    noise: 0.2,
    drift: 0.15,
    copiers: 0,
    cabal: 0,
    boost: 0.0,
};

fn copying(runs: u64) {
    let copied = |grading: &Grading, run| {
        let epochs = population::weights(grading, &mut rng(5, run));
        let found = weight_copying::test(&epochs, grading.validators, RATE);
        let looks = |c: &&weight_copying::Copying| c.standing == Standing::LooksCopied;
        found
            .iter()
            .filter(looks)
            .map(|c| c.validator)
            .collect::<Vec<_>>()
    };
    for drift in [0.05, 0.15, 0.4] {
        let honest = Grading { drift, ..GRADING };
        let accused = (0..runs)
            .filter(|run| !copied(&honest, *run).is_empty())
            .count();
        let name = format!("weight copying: honest, 16 validators, 8 epochs, drift {drift}: any");
        line(&name, accused as u64, runs);
        for epochs in [4, 8, 16] {
            let one = Grading {
                drift,
                epochs,
                copiers: 1,
                ..GRADING
            };
            let hits = (0..runs)
                .filter(|run| copied(&one, *run).contains(&0))
                .count();
            line(
                &format!("weight copying: drift {drift}, {epochs} epochs: copier found"),
                hits as u64,
                runs,
            );
        }
    }
}

fn cabals(runs: u64) {
    let found = |grading: &Grading, run| {
        let rows = population::rows(grading, &mut rng(6, run));
        cabal::test(&rows, run).is_some_and(|cabal| cabal.p_value <= RATE)
    };
    let honest = Grading {
        validators: 24,
        epochs: 2,
        ..GRADING
    };
    let accused = (0..runs).filter(|run| found(&honest, *run)).count();
    line(
        "cabal: honest, 24 validators, 60 miners: p <= 0.05",
        accused as u64,
        runs,
    );
    for (members, boost) in [(2, 1.0), (2, 2.0), (4, 0.5), (4, 1.0), (6, 0.3), (6, 0.5)] {
        let cabal = Grading {
            cabal: members,
            boost,
            ..honest
        };
        let hits = (0..runs).filter(|run| found(&cabal, *run)).count();
        let name = format!("cabal: {members} validators lift as many miners by {boost}: p <= 0.05");
        line(&name, hits as u64, runs);
    }
}

fn lazy_validators(runs: u64) {
    let evidence = |skipped: f64, opened: u32, run: u64| {
        let mut rng = rng(7, run);
        let failed = (0..opened)
            .filter(|_| rng.random::<f64>() < skipped)
            .count() as u32;
        lazy::judge(opened, failed, 0.01).e_value
    };
    let accused = (0..runs)
        .filter(|run| evidence(0.01, 44, *run) >= 20.0)
        .count();
    line(
        "lazy validator: 1 % of leaves fail honestly, 44 opened: e >= 20",
        accused as u64,
        runs,
    );
    for skipped in [0.05, 0.1, 0.25] {
        let seen = (0..runs)
            .filter(|run| {
                let mut rng = rng(8, *run);
                (0..44).any(|_| rng.random::<f64>() < skipped)
            })
            .count();
        line(
            &format!("lazy validator: skips {skipped}, 44 opened: a leaf fails"),
            seen as u64,
            runs,
        );
        let hits = (0..runs)
            .filter(|run| evidence(skipped, 44, *run) >= 20.0)
            .count();
        line(
            &format!("lazy validator: skips {skipped}, 44 opened: e >= 20"),
            hits as u64,
            runs,
        );
    }
}
