//! The command line of `athanor-validator`.

mod data;
mod explain;
mod ledger;
mod once;
mod status;

use std::{path::PathBuf, process::ExitCode};

use athanor_chain::{Client, ConnectError, WalletError};
use athanor_model::DeviceChoice;
use athanor_net::{RelayLimits, Ways, fetch_spec};
use athanor_node::{
    AxonArgs, ConfigArgs, ExternalArgs, FeedArgs, LoggingArgs, Metrics, MetricsArgs, NetworkArgs,
    Settings, SubnetArgs, SubtensorArgs, WalletArgs,
    args::{Bytes, FeedArgsError, SpecFileError, bytes},
    backup::{BackupArgs, BackupError},
    blocking,
    control::ControlError,
    lock::{self, LockError},
    logging::{self, LogLevel, LoggingError},
    metrics::{self, MetricsError},
    overview::{OverviewArgs, OverviewError},
    register::{RegisterArgs, RegisterCommandError},
    reload,
    settings::SettingsError,
    shutdown,
    specs::{self, KeepError, SpecRefused},
    wallet::{WalletCommand, WalletCommandError},
};
use athanor_scoring::evidence::{Calibration, CalibrationError};
use athanor_spec::{NetUid, Uid, wire::NodeKind};
use clap::{Args, Parser, Subcommand};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    archive::ArchiveError,
    book::BookError,
    calibrate::{self, CalibrateArgs, CalibrateError},
    config::{RunError, StartError, Submission, ValidatorConfig, WouldSet},
    explain::ExplainError,
    gateway::{GatewayArgs, KeysArgs, KeysError},
    power::{self, PowerArgs, PowerError},
    run,
    siblings::{self, SiblingsArgs, SiblingsError},
    status::Status,
    verify::{self, VerifyArgs, VerifyError},
};
use data::{DATA, DataArgs, MovedError};

/// The file of settings that is read if none is named, in `~/.athanor`.
const SETTINGS: &str = "validator.toml";

/// Status of `verify` when something does not hold.
const DIFFERENT: u8 = 1;

/// How often the log says how the validator stands.
const SUMMARY_EVERY: std::time::Duration = std::time::Duration::from_secs(3600);

/// How often the log says how far the round is that somebody waits for.
const PROGRESS_EVERY: std::time::Duration = std::time::Duration::from_secs(15);

/// Ask, audit, grade, and set weights.
#[derive(Clone, Debug, Parser)]
#[command(name = "athanor-validator", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Where the settings come from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How to log.
    #[command(flatten)]
    pub logging: LoggingArgs,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Validate until interrupted.
    Run(RunArgs),
    /// Hold one whole round, set weights, and end. Exit status 1 if no weights could be set.
    Once(RunArgs),
    /// Hold rounds without sending anything to the chain, and print the weights that would be set, one line of JSON a round.
    DryRun {
        /// Rounds after which to end [default: until interrupted].
        #[arg(long, value_name = "COUNT")]
        rounds: Option<u64>,
        /// As of `run`.
        #[command(flatten)]
        run: RunArgs,
    },
    /// Check a transcript or a receipt: signatures, proofs, prompts, verdicts, weights.
    Verify(Box<VerifyArgs>),
    /// Show how the running validator is: round, queues, weights, countdowns, alarms. Exit status 1 if not in order.
    Status(status::StatusArgs),
    /// Say why a miner is paid what it is, with numbers, evidence, and what would change it.
    Explain(explain::ExplainArgs),
    /// Export or compact what is known of the miners.
    Ledger {
        /// What to do.
        #[command(subcommand)]
        command: ledger::LedgerCommand,
    },
    /// Fit the audit's table on this machine's engine.
    Calibrate(CalibrateArgs),
    /// Print what a table tells apart, with confidence bounds, measured on other students and prompts than it was fitted on.
    Power(PowerArgs),
    /// Measure how near independently distilled students come to each other, and which copies of them are found.
    Siblings(SiblingsArgs),
    /// Register the hotkey on the subnet; the coldkey pays.
    Register(RegisterArgs),
    /// Show how the wallet's hotkeys stand on the subnet.
    Overview(OverviewArgs),
    /// Pack everything in the data directory that cannot be made again into one file, while `run` is stopped.
    Backup(BackupArgs),
    /// Unpack a backup, verified to the last byte, while `run` is stopped.
    Restore(BackupArgs),
    /// Make, show and revoke the keys of the gateway.
    Keys {
        /// Whose gateway: its keys lie beside the ledger.
        #[command(flatten)]
        place: Box<ledger::Place>,
        /// What to do.
        #[command(flatten)]
        keys: KeysArgs,
    },
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
    /// Where its data is.
    #[command(flatten)]
    pub data: DataArgs,
    /// Where replays run: auto, cpu, flex, or cuda:N.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// MiB of memory for the students that replays keep loaded, and for what is remembered of the teacher. A checkpoint that
    /// takes more by itself is not audited.
    #[arg(
        long = "replay.memory",
        alias = "replay-memory",
        value_name = "MIB",
        default_value_t = 4096
    )]
    pub replay_memory: u32,
    /// Bytes that fetched checkpoints may take, such as 200GB: those used least lately make room, but none that the round needs
    /// [default: any number, until they are unused for a day].
    #[arg(long = "artifacts.quota", alias = "artifacts-quota", value_name = "BYTES", value_parser = bytes)]
    pub artifacts_quota: Option<Bytes>,
    /// Where transcripts are served to anybody: at any free port unless one is said, for the chain tells which.
    #[command(flatten)]
    pub axon: AxonArgs<0>,
    /// What the chain is told of where that is.
    #[command(flatten)]
    pub external: ExternalArgs,
    /// How to find others, and be found.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Whether to serve metrics.
    #[command(flatten)]
    pub metrics: MetricsArgs,
    /// Whether to serve users.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Whether to tell events.
    #[command(flatten)]
    pub feed: FeedArgs,
}

/// Why the program ends with a failure.
#[derive(Debug, Error)]
pub enum CliError {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The runtime does not start.
    #[error("cannot start the runtime: {0}")]
    Runtime(std::io::Error),
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
    /// Another spec is in force.
    #[error(transparent)]
    SpecRefused(#[from] SpecRefused),
    /// A spec cannot be kept.
    #[error(transparent)]
    KeepSpec(#[from] KeepError),
    /// The chain cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The calibration is not valid.
    #[error("{}: {source}", path.display())]
    Calibration {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: CalibrationError,
    },
    /// Another process has the data directory or the hotkey.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The hotkey cannot be read.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// Events cannot be told.
    #[error(transparent)]
    Feed(#[from] FeedArgsError),
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
    /// There is no backup, or nothing was restored.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The gateway's keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Nothing was verified.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The study of siblings failed.
    #[error(transparent)]
    Siblings(#[from] SiblingsError),
    /// The calibration failed.
    #[error(transparent)]
    Calibrate(#[from] CalibrateError),
    /// The table was not measured.
    #[error(transparent)]
    Power(#[from] PowerError),
    /// The data lies where an earlier version kept it.
    #[error(transparent)]
    Moved(#[from] MovedError),
    /// The running validator gave no answer.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Book(#[from] BookError),
    /// There is no ledger.
    #[error("there is no ledger at {}: no validator has run there yet; name the directory with --data.dir", path.display())]
    NoLedger {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The transcripts cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Nothing can be said of a miner.
    #[error(transparent)]
    Explain(#[from] ExplainError),
    /// No miner has this slot.
    #[error(
        "subnet {netuid} has no UID {uid}: `overview` and the terminal UI list those that there are"
    )]
    NoSuchUid {
        /// The slot.
        uid: Uid,
        /// The subnet.
        netuid: NetUid,
    },
    /// Who has a slot is known by the chain alone.
    #[error(
        "whose UID {uid} is cannot be read from the chain ({error}): name the miner by its hotkey"
    )]
    WhoIs {
        /// The slot.
        uid: Uid,
        /// Why.
        error: String,
    },
    /// The answer cannot be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(std::io::Error),
}

/// Runs the command that this process was given to its end, and gives its exit status.
pub fn main() -> Result<ExitCode, CliError> {
    let settings = Settings::<Cli>::load(SETTINGS)?;
    if let Some(dump) = settings.dump() {
        println!("{dump}");
        return Ok(ExitCode::SUCCESS);
    }
    let log_level = logging::init(&settings.arguments().logging)?;
    let runtime = tokio::runtime::Runtime::new().map_err(CliError::Runtime)?;
    runtime.block_on(execute(settings, &log_level))
}

async fn execute(settings: Settings<Cli>, log_level: &LogLevel) -> Result<ExitCode, CliError> {
    match settings.arguments().command.clone() {
        Command::Run(args) => {
            validate(args, settings, log_level, (Submission::Chain, None)).await?;
        }
        Command::Once(args) => {
            let how = (Submission::Chain, Some(1));
            let (text, given) = once::outcome(&validate(args, settings, log_level, how).await?);
            println!("{text}");
            return Ok(if given {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Command::DryRun { rounds, run } => {
            let how = (Submission::Dry(show_weights), rounds);
            validate(run, settings, log_level, how).await?;
        }
        // What does not hold was told on standard output; it is no failure to verify.
        Command::Verify(args) => {
            return Ok(match verify::run(*args).await? {
                true => ExitCode::SUCCESS,
                false => ExitCode::from(DIFFERENT),
            });
        }
        Command::Status(args) => {
            let (text, fine) = status::run(&args).await?;
            println!("{text}");
            // A script need not read the text.
            return Ok(if fine {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Command::Explain(args) => println!("{}", explain::run(&args).await?),
        Command::Ledger { command } => command.run().await?,
        Command::Calibrate(args) => calibrate::run(&args)?,
        Command::Power(args) => power::run(&args)?,
        Command::Siblings(args) => siblings::run(&args)?,
        Command::Register(args) => println!("{}", args.run().await?),
        Command::Overview(args) => println!("{}", args.run().await?),
        Command::Backup(args) => println!("{}", blocking(move || args.backup(DATA)).await?),
        Command::Restore(args) => println!("{}", blocking(move || args.restore(DATA)).await?),
        Command::Keys { place, keys } => {
            let dir = place.data.dir(&place.wallet, &place.subnet.load()?)?;
            println!("{}", keys.run(&dir)?);
        }
        Command::Wallet { wallet, command } => println!("{}", command.run(&wallet).await?),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints weights as JSON, one line an epoch.
fn show_weights(would_set: &WouldSet) {
    println!("{}", serde_json::json!(would_set));
}

/// Validates; `how` is what becomes of the weights, and after how many rounds it ends. How it stood at its end.
async fn validate(
    args: RunArgs,
    mut settings: Settings<Cli>,
    log_level: &LogLevel,
    (submission, rounds): (Submission, Option<u64>),
) -> Result<Status, CliError> {
    let spec = args.subnet.load()?;
    let data_dir = args.data.dir(&args.wallet, &spec)?;
    let calibration = match &args.calibration {
        None => Calibration::shipped(),
        Some(path) => {
            Calibration::from_json(&read(path)?).map_err(|source| CliError::Calibration {
                path: path.clone(),
                source,
            })?
        }
    };
    let metrics = Metrics::default();
    // Served until the end of this function, as the metrics below.
    let (feed, _events) = args.feed.open(NodeKind::Validator, &metrics).await?;
    let netuid = spec.subnet.netuid;
    // Both held until the end of this function.
    let _data = lock::directory(&data_dir)?;
    let next = args.subnet.load_next()?;
    for spec in [Some(&spec), next.as_ref()].into_iter().flatten() {
        specs::keep(&data_dir, spec)?;
    }
    let gateway = args.gateway.config(&data_dir);
    let mut config = ValidatorConfig {
        endpoints: args.subtensor.endpoints,
        hotkey: args.wallet.wallet().hotkey()?,
        spec,
        teacher: args.teacher,
        data_dir,
        ways: ways(&args.axon, args.network),
        external: args.external.address(),
        submission,
        rounds,
        device: args.device,
        replay_memory: u64::from(args.replay_memory) << 20,
        artifact_quota: args.artifacts_quota.map(|Bytes(bytes)| bytes),
        calibration,
        feed,
        metrics: metrics.clone(),
        gateway,
    };
    let stop = shutdown::signal()?;
    let mut hangup = signal(SignalKind::hangup())?;
    // Served until the end of this function; a port that is taken is told before anything starts.
    let _server = match args.metrics.addr {
        Some(address) => Some(metrics::serve(address, metrics.clone()).await?),
        None => None,
    };
    let _summaries = metrics.summarise(SUMMARY_EVERY);
    let given = config.spec.clone();
    let mut progress = tokio::time::interval(PROGRESS_EVERY);
    // Once for every spec that comes into force.
    loop {
        // Before anything costs time, or can be punished.
        let chain = Client::open(config.endpoints.clone()).await?;
        let fetch = async |peers, digest| fetch_spec(&given.limits, peers, digest).await;
        config.spec = specs::in_force(&chain, &given, &config.data_dir, |_| 0, fetch).await?;
        drop(chain);
        let mut validator = run::start(config.clone()).await?;
        let (hotkey, genesis) = (validator.hotkey(), validator.genesis());
        let _hotkey = lock::hotkey(&lock::run_directory(), hotkey, genesis, netuid)?;
        tracing::info!(%hotkey, spec = %config.spec.digest(), "validating");
        let ended = loop {
            tokio::select! {
                ended = validator.join() => break ended,
                _ = progress.tick(), if rounds.is_some() => {
                    if let Some(text) = once::progress(&validator.status()) {
                        tracing::info!("{text}");
                    }
                }
                () = stop.cancelled() => {
                    let status = validator.status();
                    validator.shutdown().await?;
                    return Ok(status);
                }
                _ = hangup.recv() => {
                    reload::reload(&mut settings, |cli: &Cli| &cli.logging, log_level, &[], |_| ());
                }
            }
        };
        match ended {
            Err(error @ RunError::OtherSpec { .. }) => {
                tracing::warn!(%error, "taking up the spec in force");
            }
            ended => {
                ended?;
                return Ok(validator.status());
            }
        }
    }
}

/// How it is reached and finds others.
fn ways(axon: &AxonArgs<0>, network: NetworkArgs) -> Ways {
    Ways {
        listen: axon.listen(),
        quic: !network.quic_off,
        discovery: !network.discovery_off,
        bootstrap: network.bootstrap,
        relays: network.relays,
        relay_server: network.serve_relay.then(RelayLimits::default),
    }
}

fn read(path: &std::path::Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|source| CliError::Read {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_shows_every_setting_and_each_can_be_a_flag() {
        let example = include_str!("../../deploy/validator.toml");
        athanor_node::settings::check_example::<Cli>("athanor-validator", example).unwrap();
    }
}
