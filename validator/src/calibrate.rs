//! Fits the audit's table on this machine's own engine: honest answers replayed, and forgers' answers replayed.

mod machine;
mod population;
mod records;

use std::path::{Path, PathBuf};

use athanor_model::{
    DeviceChoice,
    checkpoint::CheckpointError,
    engine::{LoadError, SubmitError},
    scorer::ScoreError,
    tokenizer::TokenizerError,
};
use athanor_scoring::evidence::{Calibration, FitError, FitInput, ForgerGroup, HonestGroup};
use clap::Args;
use serde::Serialize;
use thiserror::Error;

pub(crate) use population::{Forger, Kind, Observed, Population};
pub use records::RecordsError;

/// Models, and how they are observed: shared by `calibrate` and `power`.
#[derive(Clone, Debug, Args)]
pub struct ObserveArgs {
    /// Directory of the teacher.
    #[arg(long, value_name = "DIR")]
    pub teacher: PathBuf,
    /// Directory of a student; give several, so that one can pose as another, and one that is smaller than the others.
    #[arg(long = "student", value_name = "DIR", required = true, num_args = 1..)]
    pub students: Vec<PathBuf>,
    /// Honest requests per way to compute, prompt length and temperature mix, over all students.
    #[arg(long, value_name = "N", default_value_t = 4000, value_parser = clap::value_parser!(u32).range(400..))]
    pub requests: u32,
    /// Requests per forger, over all students.
    #[arg(long, value_name = "N", default_value_t = 4000, value_parser = clap::value_parser!(u32).range(100..))]
    pub forged: u32,
    /// Deviation in nats of the noise that further honest groups add to the replayed logits: it stands for backends that
    /// this machine does not have.
    #[arg(long, value_name = "NATS", default_value_t = 0.02)]
    pub noise: f32,
    /// Seed of the prompts and of the draws.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Where honest miners may compute: cpu (our own kernels, also with bf16 weights), flex (burn's on the CPU), cuda:N.
    #[arg(long = "served-by", value_name = "DEVICE", num_args = 1.., default_values = ["cpu", "flex"])]
    pub served_by: Vec<DeviceChoice>,
    /// Where replays run: auto, cpu, flex, or cuda:N.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Directory in which the observations are kept: a run that was cut short goes on from there, and another table or
    /// another report costs no second observation. What was observed on other machines may be copied into it.
    #[arg(long, value_name = "DIR")]
    pub records: Option<PathBuf>,
}

/// Settings of `calibrate`.
#[derive(Clone, Debug, Args)]
pub struct CalibrateArgs {
    /// What to observe.
    #[command(flatten)]
    pub observe: ObserveArgs,
    /// Where to write the calibration (JSON).
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print what was fitted as JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Why answers could not be observed.
#[derive(Debug, Error)]
pub enum ObserveError {
    /// A model directory cannot be used.
    #[error("the model {} cannot be used: {source}", path.display())]
    Checkpoint {
        /// Its directory.
        path: PathBuf,
        /// Cause.
        source: CheckpointError,
    },
    /// A tokenizer cannot be used.
    #[error("the tokenizer of {} cannot be used: {source}", path.display())]
    Tokenizer {
        /// Its directory.
        path: PathBuf,
        /// Cause.
        source: TokenizerError,
    },
    /// A model failed to load or to run.
    #[error(transparent)]
    Model(#[from] LoadError),
    /// A sequence cannot be replayed.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The engine did not take a request.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The engine dropped a request.
    #[error("the engine dropped a request: is the device out of memory?")]
    EngineStopped,
    /// A model with rounded weights has nowhere to lie.
    #[error("cannot write to the directory for temporary files: {0}")]
    Temporary(std::io::Error),
    /// Observations cannot be kept, or read again.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// Why a calibration failed.
#[derive(Debug, Error)]
pub enum CalibrateError {
    /// Nothing was observed.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// Too little was observed.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The table does not encode.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The table cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
}

/// One group of requests that the table was fitted on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fitted {
    /// The honest way to compute, or the forger.
    pub name: String,
    /// Requests replayed.
    pub requests: usize,
    /// Tokens in them.
    pub tokens: usize,
    /// Share of tokens that are not the replay's own draw.
    pub mismatched: f64,
}

/// Calibrates, writes the table, and prints what it was fitted on. What it can tell apart is for `power` to measure, on
/// other prompts and other students.
pub fn run(args: &CalibrateArgs) -> Result<(), CalibrateError> {
    let population = Population::open(&args.observe)?;
    let observed = population.observe_all()?;
    let mut honest: Vec<HonestGroup> = Vec::new();
    let mut forgers: Vec<ForgerGroup> = Vec::new();
    for Observed { kind, requests, .. } in observed {
        let name = kind.name();
        match kind {
            Kind::Honest(_) => match honest.iter_mut().find(|group| group.name == name) {
                Some(group) => group.requests.extend(requests),
                None => honest.push(HonestGroup { name, requests }),
            },
            Kind::Forger(_) => match forgers.iter_mut().find(|group| group.name == name) {
                Some(group) => group.requests.extend(requests),
                None => forgers.push(ForgerGroup {
                    name,
                    weight: 1.0,
                    requests,
                }),
            },
        }
    }
    let input = FitInput {
        source: population.source(),
        command: command("calibrate", &args.observe),
        machine: machine::describe(),
        models: population.models(),
        seed: Some(args.observe.seed),
        lowest_temperature_milli: population.lowest_temperature_milli(),
        delta: 1e-3,
        honest,
        forgers,
    };
    let calibration = Calibration::fit(&input)?;
    write(&args.out, &calibration.to_json()?)?;
    let fitted = |name: &str, requests: &[Vec<_>]| summary(name, requests);
    let groups: Vec<Fitted> = input
        .honest
        .iter()
        .map(|group| fitted(&group.name, &group.requests))
        .chain(
            input
                .forgers
                .iter()
                .map(|group| fitted(&group.name, &group.requests)),
        )
        .collect();
    if args.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&serde_json::json!({
                "cap": calibration.cap,
                "normaliser": calibration.normaliser,
                "groups": groups,
            }))?
        );
        return Ok(());
    }
    println!(
        "{}: cap {}, normaliser {:.3}; what it tells apart: athanor-validator power --calibration {0}",
        args.out.display(),
        calibration.cap,
        calibration.normaliser,
    );
    println!(
        "{:64} {:>8} {:>9} {:>11}",
        "fitted on", "requests", "tokens", "mismatched"
    );
    for group in &groups {
        println!(
            "{:64} {:>8} {:>9} {:>10.3}%",
            group.name,
            group.requests,
            group.tokens,
            100.0 * group.mismatched
        );
    }
    Ok(())
}

fn summary(name: &str, requests: &[Vec<athanor_scoring::evidence::TokenObservation>]) -> Fitted {
    let tokens: usize = requests.iter().map(Vec::len).sum();
    let mismatched = requests.iter().flatten().filter(|it| it.margin > 0.0);
    Fitted {
        name: name.to_owned(),
        requests: requests.len(),
        tokens,
        mismatched: mismatched.count() as f64 / tokens.max(1) as f64,
    }
}

/// The command that repeats an observation, without the names of directories, which say nothing elsewhere.
pub(crate) fn command(verb: &str, args: &ObserveArgs) -> String {
    let devices: Vec<String> = args.served_by.iter().map(ToString::to_string).collect();
    format!(
        "athanor-validator {verb} --requests {} --forged {} --noise {} --seed {} --served-by {} --device {}",
        args.requests,
        args.forged,
        args.noise,
        args.seed,
        devices.join(" "),
        args.device,
    )
}

fn write(path: &Path, text: &str) -> Result<(), CalibrateError> {
    std::fs::write(path, text).map_err(|source| CalibrateError::Write {
        path: path.to_owned(),
        source,
    })
}
