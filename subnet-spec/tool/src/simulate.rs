//! `simulate`: what a spec pays to whom, over thousands of epochs, today's beside the proposed one.

mod attacks;
mod cases;
mod catalogue;
mod input;
mod metagraph;
mod plot;
mod progress;
mod report;
mod runs;
mod svg;
mod yuma;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use athanor_scoring::simulation::PopulationError;
use athanor_spec::params::SpecFault;
use clap::Args;
use serde_json::json;
use thiserror::Error;

use crate::{file::SpecFileError, outcome::Outcome};

/// What to simulate.
#[derive(Args)]
pub(crate) struct SimulateArgs {
    /// Who takes part: a file like populations/default.toml, which is taken if none is named
    #[arg(long, value_name = "FILE", conflicts_with_all = ["metagraph", "attacks", "attack", "yuma", "catalogue"])]
    population: Option<PathBuf>,
    /// Start from a real subnet instead: what `athanor-subnet show --netuid N --json` wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = ["attacks", "attack", "yuma", "catalogue"])]
    metagraph: Option<PathBuf>,
    /// The spec of now; the one that ships if none is named
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// A spec to put beside it
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Values of a key to try, as in `allocation.exponent=1,1.5,2`; of several sweeps every combination is run
    #[arg(long, value_name = "KEY=VALUES", value_parser = sweep)]
    sweep: Vec<(String, Vec<String>)>,
    /// Epochs of a run
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    epochs: u64,
    /// Seed of the first run; the others follow it
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Runs with different seeds, from which the confidence bounds come
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    runs: u64,
    /// Every attack of the catalogue by itself: what it earns over an honest participant with the same resources
    #[arg(long)]
    attacks: bool,
    /// One attack of the catalogue; may be repeated
    #[arg(long, value_name = "NAME", value_parser = known_attack)]
    attack: Vec<&'static athanor_scoring::attack::Attack>,
    /// List the attacks, with their bounds and costs
    #[arg(long, conflicts_with_all = ["attacks", "attack", "yuma"])]
    catalogue: bool,
    /// The published behaviour of Yuma: cartels below and above kappa, and how bonds follow a change of weights
    #[arg(long, conflicts_with_all = ["attacks", "attack", "sweep", "against"])]
    yuma: bool,
    /// Write JSON
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Write CSV
    #[arg(long)]
    csv: bool,
    /// Directory for plots (SVG); it is made if it is not there
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
}

/// Why nothing was simulated.
#[derive(Debug, Error)]
pub(crate) enum SimulateError {
    /// A spec cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecFileError),
    /// A value of a sweep cannot be set.
    #[error("--sweep {key}={value}: {source}")]
    Sweep {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// Why not.
        source: SpecFault,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file is no population.
    #[error("{}: not a population: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: toml::de::Error,
    },
    /// A file is no recorded metagraph.
    #[error(
        "{}: not a recorded metagraph ({source}); `athanor-subnet show --netuid N --json` writes one",
        path.display()
    )]
    Metagraph {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// The population cannot be simulated.
    #[error("{origin}: {source}")]
    Population {
        /// Where it came from.
        origin: String,
        /// Why not.
        source: PopulationError,
    },
    /// A plot cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Simulates; status 1 if an attack earns more than its bound.
pub(crate) fn run(args: &SimulateArgs) -> Result<Outcome, SimulateError> {
    if args.catalogue {
        return Ok(Outcome::done(catalogue::told(args.json, args.csv)));
    }
    if args.yuma {
        let scenarios = yuma::scenarios();
        write_plots(args, &yuma::plots(&scenarios))?;
        return Ok(Outcome::done(match args.json {
            true => json!(scenarios).to_string(),
            false => yuma::table(&scenarios),
        }));
    }
    let cases = cases::of(args)?;
    if args.attacks || !args.attack.is_empty() {
        let measured = attacks::measure(args, &cases)?;
        write_plots(args, &attacks::plots(&measured))?;
        let well = measured.iter().all(|it| !it.exceeds);
        let text = match (args.json, args.csv) {
            (true, _) => json!(measured).to_string(),
            (_, true) => attacks::csv(&measured),
            _ => attacks::table(&measured, args),
        };
        return Ok(Outcome::judged(text, well));
    }
    let population = input::population(args)?;
    let reports = runs::reports(args, &cases, &population)?;
    write_plots(args, &plot::of_reports(&reports))?;
    Ok(Outcome::done(match (args.json, args.csv) {
        (true, _) => json!(reports).to_string(),
        (_, true) => report::csv(&reports),
        _ => report::table(&reports),
    }))
}

/// A file for the directory of plots: its name, and its SVG.
type Plot = (String, String);

fn write_plots(args: &SimulateArgs, plots: &[Plot]) -> Result<(), SimulateError> {
    let Some(directory) = &args.plot else {
        return Ok(());
    };
    let write = |path: &Path, result: io::Result<()>| {
        result.map_err(|source| SimulateError::Write {
            path: path.to_owned(),
            source,
        })
    };
    write(directory, fs::create_dir_all(directory))?;
    for (name, svg) in plots {
        let path = directory.join(name);
        write(&path, fs::write(&path, svg))?;
    }
    Ok(())
}

/// Reads `KEY=VALUE,VALUE`.
fn sweep(text: &str) -> Result<(String, Vec<String>), String> {
    let (key, values) = text
        .split_once('=')
        .ok_or("write a key and its values, as in allocation.exponent=1,1.5,2")?;
    let values: Vec<String> = values.split(',').map(|it| it.trim().to_owned()).collect();
    if values.iter().any(String::is_empty) {
        return Err("a value is empty; write them as in allocation.exponent=1,1.5,2".to_owned());
    }
    Ok((key.trim().to_owned(), values))
}

fn known_attack(name: &str) -> Result<&'static athanor_scoring::attack::Attack, String> {
    athanor_scoring::attack::find(name)
        .ok_or_else(|| "no such attack; --catalogue lists them".to_owned())
}
