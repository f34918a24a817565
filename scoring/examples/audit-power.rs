//! Print how fast the synthetic calibration finds forgers, and how often it accuses honest servers.
//!
//! `cargo run -p athanor-scoring --example audit-power` (about a minute). Synthetic answers at temperature 1; the same
//! seed gives the same table.

use athanor_scoring::{
    evidence::{Calibration, HotkeyEvidence},
    synthetic::{self, Server},
};
use athanor_spec::{SubnetSpec, params::AuditParams};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SEED: u64 = 2;
const TOKENS: usize = 32;
const LONGEST: usize = 20_000;
const HONEST: Server = Server::Honest { noise: 0.02 };

fn main() {
    let calibration = Calibration::synthetic();
    let params = SubnetSpec::local().audit;
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    println!(
        "mean entropy {:.2} nats",
        synthetic::mean_entropy(20_000, &mut rng)
    );
    println!(
        "C = {:.0}, b = {:.3}",
        calibration.cap, calibration.normaliser
    );
    println!("\ntokens to E >= 1e6                 median      p99   runs");
    for (name, server, runs) in [
        ("ignored seed", Server::IgnoredSeed, 1_000),
        ("greedy instead of sampling", Server::Greedy, 1_000),
        (
            "sibling checkpoint, sd 0.35",
            Server::OtherCheckpoint { difference: 0.35 },
            1_000,
        ),
        (
            "sibling checkpoint, sd 0.45",
            Server::OtherCheckpoint { difference: 0.45 },
            1_000,
        ),
        (
            "temperature 0.9 of the asked",
            Server::OtherTemperature { factor: 0.9 },
            1_000,
        ),
        (
            "temperature 1.1 of the asked",
            Server::OtherTemperature { factor: 1.1 },
            1_000,
        ),
        (
            "4-bit weights, sd 0.25",
            Server::OtherCheckpoint { difference: 0.25 },
            1_000,
        ),
        (
            "8-bit weights, sd 0.04",
            Server::OtherCheckpoint { difference: 0.04 },
            30,
        ),
    ] {
        let lengths = sorted(runs, || tokens_to_evidence(&calibration, server, &mut rng));
        println!(
            "{name:32} {:>8} {:>8} {runs:>6}",
            shown(&lengths, 0.5),
            shown(&lengths, 0.99)
        );
    }
    println!("\nopenings of {TOKENS} tokens to W >= 1e6   median      p99   runs");
    for share in [0.1, 0.3, 1.0] {
        let cheat = Server::OtherCheckpoint { difference: 0.4 };
        let run = || openings_to_verdict(&calibration, &params, cheat, share, &mut rng);
        let openings = sorted(500, run);
        let name = format!("sibling in {share} of the requests");
        println!(
            "{name:32} {:>8} {:>8} {:>6}",
            shown(&openings, 0.5),
            shown(&openings, 0.99),
            500
        );
    }
    for noise in [1e-5, 0.02] {
        let (mean, highest, flags) =
            honest(&calibration, &params, Server::Honest { noise }, &mut rng);
        println!(
            "\nhonest at noise {noise}: mean e' {mean:.3} over 30000 requests; {flags} of 30 hotkeys condemned, \
             highest W {highest:.3}"
        );
    }
}

fn tokens_to_evidence(calibration: &Calibration, server: Server, rng: &mut ChaCha8Rng) -> usize {
    let mut products = calibration.products();
    for length in 1..=LONGEST {
        products.push(synthetic::request(server, 1, 1.0, rng)[0]);
        if products.log_e_value() >= 1e6_f64.ln() {
            return length;
        }
    }
    LONGEST + 1
}

fn openings_to_verdict(
    calibration: &Calibration,
    params: &AuditParams,
    cheat: Server,
    share: f64,
    rng: &mut ChaCha8Rng,
) -> usize {
    let mut evidence = HotkeyEvidence::default();
    for opening in 1..=LONGEST {
        let server = if rng.random_bool(share) {
            cheat
        } else {
            HONEST
        };
        let tokens = synthetic::request(server, TOKENS, 1.0, rng);
        evidence.observe(params, calibration.request_e_value(&tokens));
        if evidence.condemned(params) {
            return opening;
        }
    }
    LONGEST + 1
}

fn honest(
    calibration: &Calibration,
    params: &AuditParams,
    server: Server,
    rng: &mut ChaCha8Rng,
) -> (f64, f64, u32) {
    let (mut sum, mut highest, mut flags) = (0.0, 0.0_f64, 0);
    for _ in 0..30 {
        let mut evidence = HotkeyEvidence::default();
        for _ in 0..1_000 {
            let e_value =
                calibration.request_e_value(&synthetic::request(server, TOKENS, 1.0, rng));
            sum += e_value;
            evidence.observe(params, e_value);
            highest = highest.max(evidence.e_value(params));
        }
        flags += u32::from(evidence.condemned(params));
    }
    (sum / 30_000.0, highest, flags)
}

fn sorted(runs: usize, mut run: impl FnMut() -> usize) -> Vec<usize> {
    let mut values: Vec<usize> = (0..runs).map(|_| run()).collect();
    values.sort_unstable();
    values
}

fn shown(sorted: &[usize], quantile: f64) -> String {
    let value = sorted[((sorted.len() - 1) as f64 * quantile).round() as usize];
    if value > LONGEST {
        format!("> {LONGEST}")
    } else {
        value.to_string()
    }
}
