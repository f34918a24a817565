//! Print a calibration that is fitted on synthetic answers.
//!
//! `cargo run -p athanor-scoring --example synthetic-calibration > scoring/data/synthetic-calibration.json` (about two
//! minutes). The same seed gives the same bytes.

use std::error::Error;

use athanor_scoring::{
    evidence::{Calibration, FitInput, ForgerGroup, HonestGroup, TokenObservation},
    synthetic::{self, Server},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const SEED: u64 = 1;
const TOKENS: usize = 32;
const HONEST_REQUESTS: usize = 40_000;
const FORGED_REQUESTS: usize = 6_000;
const TEMPERATURES: [f32; 3] = [0.6, 0.8, 1.0];
/// Honest noise in nats: what two CPU paths differ by, and what two kinds of accelerators may.
const NOISES: [f32; 2] = [1e-5, 0.02];
const FORGERS: [(&str, Server); 7] = [
    ("ignored_seed", Server::IgnoredSeed),
    ("greedy", Server::Greedy),
    (
        "other_checkpoint",
        Server::OtherCheckpoint { difference: 0.4 },
    ),
    (
        "quantised_4bit",
        Server::OtherCheckpoint { difference: 0.25 },
    ),
    (
        "quantised_8bit",
        Server::OtherCheckpoint { difference: 0.04 },
    ),
    ("temperature_low", Server::OtherTemperature { factor: 0.9 }),
    ("temperature_high", Server::OtherTemperature { factor: 1.1 }),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut requests = |server, temperatures: &[f32], count: usize| -> Vec<Vec<TokenObservation>> {
        let one = |index: usize| {
            let temperature = temperatures[index % temperatures.len()];
            synthetic::request(server, TOKENS, temperature, &mut rng)
        };
        (0..count).map(one).collect()
    };
    let mut honest = Vec::new();
    for noise in NOISES {
        for temperature in TEMPERATURES {
            honest.push(HonestGroup {
                name: format!("noise {noise} nats, temperature {temperature}"),
                requests: requests(Server::Honest { noise }, &[temperature], HONEST_REQUESTS),
            });
        }
    }
    let forgers = FORGERS
        .map(|(name, server)| ForgerGroup {
            name: name.to_owned(),
            weight: 1.0,
            requests: requests(server, &TEMPERATURES, FORGED_REQUESTS),
        })
        .into();
    let input = FitInput {
        source: format!(
            "synthetic logits: 256 Gaussian candidates, mean entropy 0.91 nats; {TOKENS} tokens per request; seed {SEED}"
        ),
        command: "cargo run -p athanor-scoring --example synthetic-calibration".to_owned(),
        delta: 1e-3,
        seed: Some(SEED),
        honest,
        forgers,
        ..FitInput::default()
    };
    println!("{}", Calibration::fit(&input)?.to_json()?);
    Ok(())
}
