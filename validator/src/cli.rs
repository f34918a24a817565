//! The command line of `athanor-validator`.

use std::path::PathBuf;

use athanor_chain::WalletError;
use athanor_model::DeviceChoice;
use athanor_node::{
    Feed, LoggingArgs, Metrics, MetricsArgs, SubnetArgs, SubtensorArgs, WalletArgs,
    args::SpecFileError,
    feed::FeedError,
    logging::{self, LoggingError},
    metrics::{self, MetricsError},
    overview::{OverviewArgs, OverviewError},
    register::{RegisterArgs, RegisterCommandError},
    shutdown,
    wallet::{WalletCommand, WalletCommandError},
};
use athanor_scoring::evidence::{Calibration, CalibrationError};
use clap::{Args, Parser, Subcommand};
use thiserror::Error;

use crate::{
    calibrate::{self, CalibrateArgs, CalibrateError},
    config::{RunError, StartError, ValidatorConfig},
    run,
};

/// Ask, audit, grade, and set weights.
#[derive(Clone, Debug, Parser)]
#[command(name = "athanor-validator", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to log.
    #[command(flatten)]
    pub logging: LoggingArgs,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Validate until interrupted.
    Run(RunArgs),
    /// Fit the audit's tables on this machine's engine and print the error rates that they give.
    Calibrate(CalibrateArgs),
    /// Register the hotkey on the subnet; the coldkey pays.
    Register(RegisterArgs),
    /// Show how the wallet's hotkeys stand on the subnet.
    Overview(OverviewArgs),
    /// Make, restore, list and show keys, and what they hold.
    Wallet {
        /// Which wallet.
        #[command(flatten)]
        wallet: WalletArgs,
        /// What to do.
        #[command(subcommand)]
        command: WalletCommand,
    },
}

/// Settings of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Which chain.
    #[command(flatten)]
    pub subtensor: SubtensorArgs,
    /// Which key.
    #[command(flatten)]
    pub wallet: WalletArgs,
    /// Which subnet.
    #[command(flatten)]
    pub subnet: SubnetArgs,
    /// Directory of the teacher, in Hugging Face layout with a manifest.
    #[arg(long, value_name = "DIR")]
    pub teacher: PathBuf,
    /// Calibration of the audit, as written by `calibrate` [default: the one that ships with this program].
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// Directory of the ledger and of the artifact cache.
    #[arg(long, value_name = "DIR", default_value = "athanor-validator")]
    pub data_dir: PathBuf,
    /// Where replays run: auto, cpu, or cuda:N.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Whether to serve metrics.
    #[command(flatten)]
    pub metrics: MetricsArgs,
    /// Also write every event to this file, one line of JSON each.
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
}

/// Why the program ends with a failure.
#[derive(Debug, Error)]
pub enum CliError {
    /// A file that was named cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The spec cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecFileError),
    /// The calibration is not valid.
    #[error("{}: {source}", path.display())]
    Calibration {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: CalibrationError,
    },
    /// The hotkey cannot be read.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The events file cannot be written.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The metrics cannot be served.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It ended by itself.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The process cannot listen for signals.
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] std::io::Error),
    /// Logging cannot be set up.
    #[error(transparent)]
    Logging(#[from] LoggingError),
    /// The hotkey was not registered.
    #[error(transparent)]
    Register(#[from] RegisterCommandError),
    /// The subnet could not be shown.
    #[error(transparent)]
    Overview(#[from] OverviewError),
    /// A wallet verb failed.
    #[error(transparent)]
    WalletCommand(#[from] WalletCommandError),
    /// The calibration failed.
    #[error(transparent)]
    Calibrate(#[from] CalibrateError),
}

/// Runs a command to its end.
pub async fn execute(cli: Cli) -> Result<(), CliError> {
    logging::init(&cli.logging)?;
    match cli.command {
        Command::Run(args) => validate(args).await,
        Command::Calibrate(args) => Ok(calibrate::run(&args)?),
        Command::Register(args) => {
            println!("{}", args.run().await?);
            Ok(())
        }
        Command::Overview(args) => {
            println!("{}", args.run().await?);
            Ok(())
        }
        Command::Wallet { wallet, command } => {
            println!("{}", command.run(&wallet).await?);
            Ok(())
        }
    }
}

async fn validate(args: RunArgs) -> Result<(), CliError> {
    let spec = args.subnet.load()?;
    let calibration = match &args.calibration {
        None => Calibration::shipped(),
        Some(path) => {
            Calibration::from_json(&read(path)?).map_err(|source| CliError::Calibration {
                path: path.clone(),
                source,
            })?
        }
    };
    let feed = match &args.events {
        None => Feed::new(),
        Some(path) => Feed::with_file(path)?,
    };
    let metrics = Metrics::default();
    let config = ValidatorConfig {
        endpoints: args.subtensor.endpoints,
        hotkey: args.wallet.wallet().hotkey()?,
        spec,
        teacher: args.teacher,
        data_dir: args.data_dir,
        device: args.device,
        calibration,
        feed,
        metrics: metrics.clone(),
    };
    let stop = shutdown::signal()?;
    // Served until the end of this function; a port that is taken is told before anything starts.
    let _server = match args.metrics.addr {
        Some(address) => Some(metrics::serve(address, metrics).await?),
        None => None,
    };
    let mut validator = run::start(config).await?;
    tracing::info!(hotkey = %validator.hotkey(), "validating");
    tokio::select! {
        ended = validator.join() => return Ok(ended?),
        () = stop.cancelled() => {}
    }
    Ok(validator.shutdown().await?)
}

fn read(path: &std::path::Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|source| CliError::Read {
        path: path.to_owned(),
        source,
    })
}
