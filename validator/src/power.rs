//! Prints what a table of calibration can tell apart, measured on this machine's own engine with a confidence bound for every
//! figure: honest servers against a verdict, forgers until one, part-time cheats, turncoats, and what goes unseen.

mod report;

use std::path::PathBuf;

use athanor_scoring::evidence::{
    Calibration, CalibrationError, TokenObservation,
    power::{self, DELTA, Habit, Honest, Pools, Wait},
};
use athanor_spec::{SubnetSpec, params::AuditParams};
use clap::Args;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use thiserror::Error;

use crate::calibrate::{Forger, Kind, ObserveArgs, ObserveError, Observed, Population};

/// Evidence at which a forger counts as found, as in the mechanism's table.
const EVIDENCE: f64 = 1e6;
/// Requests of one honest life: what a validator asks a miner in a week of hourly rounds and more.
const LIFE: usize = 5_000;
/// Simulated hotkeys for each habit of a cheat.
const RUNS: usize = 600;
/// Openings after which a simulated hotkey is given up.
const OPENINGS: u64 = 3_000;
/// Openings that a turncoat answers honestly before it turns.
const HONEST_FIRST: u64 = 1_000;
/// Shares of the openings that a part-time cheat forges, the largest first.
const SHARES: [f64; 3] = [1.0, 0.3, 0.1];

/// Settings of `power`.
#[derive(Clone, Debug, Args)]
pub struct PowerArgs {
    /// What to observe: other students and another seed than those that the table was fitted on.
    #[command(flatten)]
    pub observe: ObserveArgs,
    /// The table, as written by `calibrate` [default: the one that ships with this program].
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Why there is no report.
#[derive(Debug, Error)]
pub enum PowerError {
    /// Nothing was observed.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The table cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The table is not valid.
    #[error("{}: {source}", path.display())]
    Calibration {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: CalibrationError,
    },
    /// The table would be measured on what it was fitted on.
    #[error("student {digest} fitted the table; give students that it has not seen")]
    SameStudent {
        /// Digest of the student.
        digest: String,
    },
    /// Likewise.
    #[error("seed {seed} fitted the table; give another one with --seed, for other prompts")]
    SameSeed {
        /// The seed.
        seed: u64,
    },
    /// The report does not encode.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// What a table tells apart. Keys are only ever added.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The command that repeats it, without the names of directories.
    pub command: String,
    /// Digest of the table (blake3 over its compact JSON).
    pub calibration: String,
    /// The table's cap C and normaliser b.
    pub cap: f64,
    /// See `cap`.
    pub normaliser: f64,
    /// Digests of the teacher and of the students.
    pub models: Vec<String>,
    /// Evidence at which a hotkey is condemned: 1 / alpha.
    pub condemned_at: f64,
    /// One-sided error probability of each bound.
    pub delta: f64,
    /// Honest servers, one entry for each way to compute, and one for all of them.
    pub honest: Vec<HonestRow>,
    /// Forgers.
    pub forgers: Vec<ForgerRow>,
    /// Cheats that choose between near-tied tokens.
    pub steering: Vec<SteeringRow>,
    /// What the audit cannot see, in words.
    pub unseen: Vec<&'static str>,
}

/// Honest servers of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct HonestRow {
    /// The way to compute.
    pub name: String,
    /// What the audit says of them.
    #[serde(flatten)]
    pub honest: Honest,
}

/// One forger.
#[derive(Clone, Debug, Serialize)]
pub struct ForgerRow {
    /// Its name.
    pub name: &'static str,
    /// Requests replayed.
    pub requests: usize,
    /// Share of tokens that are not the replay's own draw.
    pub mismatched: f64,
    /// Mean normalised e-value of a request.
    pub mean_e_value: f64,
    /// Tokens within which it is to be found.
    pub goal: u64,
    /// Tokens until the evidence is there.
    pub tokens: Wait,
    /// Openings until the hotkey is condemned, by what it does over time.
    pub openings: Vec<OpeningsRow>,
}

/// One habit of a cheat.
#[derive(Clone, Debug, Serialize)]
pub struct OpeningsRow {
    /// Share of the openings that it forges.
    pub share: f64,
    /// Openings that it answers honestly before.
    pub honest_first: u64,
    /// Openings, counted from the first that it may forge.
    pub openings: Wait,
}

/// One way to steer.
#[derive(Clone, Debug, Serialize)]
pub struct SteeringRow {
    /// In words.
    pub name: String,
    /// Bits per token that its choices carry.
    pub bits_per_token: f64,
    /// Mean normalised e-value of a request: at or below 1, the evidence never grows.
    pub mean_e_value: f64,
    /// Tokens until the evidence is there.
    pub tokens: Wait,
}

/// What the audit cannot see.
const UNSEEN: [&str; 5] = [
    "Answers at temperature 0 carry no seed evidence: they are not counted.",
    "Speculative decoding that ends in the seeded draws is the same answer, sooner: it is legal.",
    "A choice between the two best tokens as often as honest noise makes it (the steering budget).",
    "Whoever serves the committed checkpoint by another's machine: the answer is the same.",
    "Rounding that moves logits by less than the noise that honest backends are allowed.",
];

/// Measures and prints.
pub fn run(args: &PowerArgs) -> Result<(), PowerError> {
    let calibration = match &args.calibration {
        None => Calibration::shipped(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|source| PowerError::Read {
                path: path.clone(),
                source,
            })?;
            Calibration::from_json(&text).map_err(|source| PowerError::Calibration {
                path: path.clone(),
                source,
            })?
        }
    };
    let population = Population::open(&args.observe)?;
    disjoint(&calibration, &population, args.observe.seed)?;
    let observed = population.observe_all()?;
    let report = report(args, &calibration, &population, &observed)?;
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => report::print(&report),
    }
    Ok(())
}

/// A table is not measured on what it was fitted on.
fn disjoint(
    calibration: &Calibration,
    population: &Population,
    seed: u64,
) -> Result<(), PowerError> {
    let fitted = &calibration.provenance;
    if fitted.seed == Some(seed) {
        return Err(PowerError::SameSeed { seed });
    }
    // The teacher, which comes first on either side, is shared.
    let students = population.models().into_iter().skip(1);
    match students.into_iter().find(|it| fitted.models.contains(it)) {
        Some(digest) => Err(PowerError::SameStudent { digest }),
        None => Ok(()),
    }
}

fn report(
    args: &PowerArgs,
    calibration: &Calibration,
    population: &Population,
    observed: &[Observed],
) -> Result<Report, PowerError> {
    let params = SubnetSpec::local().audit;
    let mut rng = ChaCha8Rng::seed_from_u64(args.observe.seed);
    let (honest, noisiest) = honest(calibration, &params, observed);
    let exact = requests_of(
        observed,
        |kind| matches!(kind, Kind::Honest(honest) if honest.noise == 0.0),
    );
    let pools = Pools {
        honest: &e_values(calibration, &exact),
        forged: &[],
    };
    let forgers = Forger::ALL
        .into_iter()
        .filter_map(|forger| forged(calibration, &params, observed, forger, pools, &mut rng))
        .collect();
    Ok(Report {
        command: crate::calibrate::command("power", &args.observe),
        calibration: calibration.digest().to_string(),
        cap: calibration.cap,
        normaliser: calibration.normaliser,
        models: population.models(),
        condemned_at: 1.0 / params.alpha,
        delta: DELTA,
        honest,
        forgers,
        steering: steering(calibration, &exact, &noisiest, &mut rng),
        unseen: UNSEEN.to_vec(),
    })
}

type Requests = Vec<Vec<TokenObservation>>;

fn requests_of(observed: &[Observed], wanted: impl Fn(Kind) -> bool) -> Requests {
    let wanted = observed.iter().filter(|it| wanted(it.kind));
    wanted.flat_map(|it| it.requests.clone()).collect()
}

fn e_values(calibration: &Calibration, requests: &Requests) -> Vec<f64> {
    let values = requests.iter().map(|it| calibration.request_e_value(it));
    values.collect()
}

/// A row for each honest kind, one for all, and the requests of the kind whose tokens are most often not the replay's.
fn honest(
    calibration: &Calibration,
    params: &AuditParams,
    observed: &[Observed],
) -> (Vec<HonestRow>, Requests) {
    let mut kinds: Vec<Kind> = Vec::new();
    for it in observed {
        if matches!(it.kind, Kind::Honest(_)) && !kinds.contains(&it.kind) {
            kinds.push(it.kind);
        }
    }
    let row = |name: String, wanted: &dyn Fn(Kind) -> bool| {
        let servers = observed.iter().filter(|it| wanted(it.kind));
        let servers = servers.map(|it| it.requests.as_slice());
        HonestRow {
            name,
            honest: power::honest(calibration, params, servers, LIFE),
        }
    };
    let mut rows: Vec<HonestRow> = kinds
        .iter()
        .map(|kind| row(kind.name(), &|other| other == *kind))
        .collect();
    let noisiest = rows
        .iter()
        .zip(&kinds)
        .max_by(|(a, _), (b, _)| a.honest.mismatched.total_cmp(&b.honest.mismatched));
    let noisiest = noisiest.map_or_else(Vec::new, |(_, kind)| {
        requests_of(observed, |other| other == *kind)
    });
    rows.push(row("all".to_owned(), &|kind| {
        matches!(kind, Kind::Honest(_))
    }));
    (rows, noisiest)
}

/// A forger's row; `None` where there was no model to play it.
fn forged(
    calibration: &Calibration,
    params: &AuditParams,
    observed: &[Observed],
    forger: Forger,
    pools: Pools<'_>,
    rng: &mut ChaCha8Rng,
) -> Option<ForgerRow> {
    let requests = requests_of(observed, |kind| kind == Kind::Forger(forger));
    if requests.is_empty() {
        return None;
    }
    let goal = goal(forger);
    let servers = observed
        .iter()
        .filter(|it| it.kind == Kind::Forger(forger))
        .map(|it| it.requests.as_slice());
    let tokens = power::tokens_to_evidence(calibration, servers, EVIDENCE, goal as usize);
    let values = e_values(calibration, &requests);
    let pools = Pools {
        forged: &values,
        ..pools
    };
    let part_time = SHARES.map(|share| (share, 0));
    let openings = part_time
        .into_iter()
        .chain([(1.0, HONEST_FIRST)])
        .map(|(share, honest_first)| {
            let habit = Habit {
                honest_first,
                share,
            };
            let waits = power::openings_to_verdict(params, pools, habit, (RUNS, OPENINGS), rng);
            OpeningsRow {
                share,
                honest_first,
                openings: waits.summary(),
            }
        })
        .collect();
    Some(ForgerRow {
        name: forger.name(),
        requests: requests.len(),
        mismatched: mismatched(&requests),
        mean_e_value: values.iter().sum::<f64>() / values.len() as f64,
        goal,
        tokens: tokens.summary(),
        openings,
    })
}

/// Tokens within which a forger is to be found.
fn goal(forger: Forger) -> u64 {
    match forger {
        Forger::IgnoredSeed => 50,
        Forger::Greedy | Forger::Constant => 100,
        Forger::EightBit => 20_000,
        _ => 1_000,
    }
}

fn mismatched(requests: &Requests) -> f64 {
    let tokens = requests.iter().map(Vec::len).sum::<usize>();
    let other = requests.iter().flatten().filter(|it| it.margin > 0.0);
    other.count() as f64 / tokens.max(1) as f64
}

/// Who steers as often as the noisiest honest kind errs, and who always chooses freely below a gap.
fn steering(
    calibration: &Calibration,
    exact: &Requests,
    noisiest: &Requests,
    rng: &mut ChaCha8Rng,
) -> Vec<SteeringRow> {
    let bins = &calibration.bins;
    let mut ways = vec![(
        "as often as the noisiest honest kind".to_owned(),
        power::flip_rates(bins, noisiest),
    )];
    for (cell, edge) in bins.gap.iter().enumerate().skip(1).take(4) {
        let rates = (0..bins.gap.len()).map(|other| if other < cell { 0.5 } else { 0.0 });
        ways.push((
            format!("freely wherever the gap is below {edge}"),
            rates.collect(),
        ));
    }
    ways.into_iter()
        .map(|(name, rates)| {
            let (requests, bits_per_token) = power::steered(bins, exact, &rates, rng);
            let values = e_values(calibration, &requests);
            let tokens =
                power::tokens_to_evidence(calibration, [requests.as_slice()], EVIDENCE, 20_000);
            SteeringRow {
                name,
                bits_per_token,
                mean_e_value: values.iter().sum::<f64>() / values.len().max(1) as f64,
                tokens: tokens.summary(),
            }
        })
        .collect()
}
