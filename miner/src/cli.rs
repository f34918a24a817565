//! The command line.

mod arguments;
mod bench;
mod check;
mod model;
mod relay;
mod rollback;
mod status;
mod tunable;

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use athanor_chain::{Client, ConnectError, ReadError, Signer, WalletError};
use athanor_distill::{
    bundled::BundledError,
    init::StudentError,
    source::{Source, SourceError},
};
use athanor_miner::{
    CheckpointRefused, DistillSettings, EngineSettings, Miner, MinerConfig, RunError, StartError,
    control::ControlError, rollback::RollbackError,
};
use athanor_model::{Checkpoint, checkpoint::CheckpointError};
use athanor_net::fetch_spec;
use athanor_node::{
    Metrics, NodeArgs, Settings,
    args::{FeedArgsError, SpecFileError},
    backup::BackupError,
    blocking,
    lock::{self, Lock, LockError},
    logging::{LogLevel, LoggingError},
    metrics::{self, MetricsError},
    overview::OverviewError,
    register::RegisterCommandError,
    settings::{self, SettingsError},
    shutdown,
    signer::{RemoteArgs, SignerError},
    specs::{self, KeepError, SpecRefused},
    wallet::WalletCommandError,
};
use athanor_spec::{Hotkey, SubnetSpec, wire::NodeKind};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use arguments::Arguments;
use arguments::{Command, RunArgs};
use tunable::TunableArgs;

/// How long work that cannot be interrupted may hold up the exit.
pub(crate) const LAST_WORK: Duration = Duration::from_secs(2);

/// How often the log says how the miner stands.
const SUMMARY_EVERY: Duration = Duration::from_secs(3600);

/// Why a command failed.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Logging(#[from] LoggingError),
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    #[error("cannot listen to signals: {0}")]
    Signals(io::Error),
    #[error(transparent)]
    Spec(#[from] SpecFileError),
    #[error(transparent)]
    SpecRefused(#[from] SpecRefused),
    #[error(transparent)]
    KeepSpec(#[from] KeepError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Wallet(#[from] WalletError),
    #[error(transparent)]
    WalletCommand(#[from] WalletCommandError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Signer(#[from] SignerError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Chain(#[from] ReadError),
    #[error(transparent)]
    Register(#[from] RegisterCommandError),
    #[error(transparent)]
    Overview(#[from] OverviewError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointRefused),
    #[error("the bundled teacher cannot be unpacked: {0}")]
    Bundled(#[from] BundledError),
    #[error("the teacher {} cannot be used: {source}", dir.display())]
    Teacher {
        dir: PathBuf,
        source: CheckpointError,
    },
    #[error("the teacher cannot be learnt from: {0}")]
    Source(#[from] SourceError),
    #[error("no student can be made of the teacher: {0}")]
    Student(#[from] StudentError),
    #[error("the new student cannot be written: {0}")]
    WriteStudent(CheckpointError),
    #[error(transparent)]
    Bench(#[from] bench::BenchError),
    #[error("the teacher's tokenizer cannot be used: {0}")]
    Tokenizer(CheckpointError),
    #[error(transparent)]
    Identity(#[from] athanor_net::IdentityFileError),
    #[error(transparent)]
    Net(#[from] athanor_net::StartError),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error(transparent)]
    Rollback(#[from] RollbackError),
    #[error("cannot make a directory for transcripts: {0}")]
    Scratch(io::Error),
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Feed(#[from] FeedArgsError),
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Runs one command to its end.
pub(crate) async fn run(
    settings: Settings<Arguments>,
    log_level: LogLevel,
) -> Result<ExitCode, CliError> {
    let text = match settings.arguments().command.clone() {
        Command::Run(arguments) => {
            serve(*arguments, settings, &log_level).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Check(arguments) => {
            let (text, passed) = check::run(*arguments).await?;
            println!("{text}");
            return Ok(match passed {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            });
        }
        Command::Status(arguments) => status::run(&arguments).await?,
        Command::Rollback(arguments) => rollback::run(&arguments).await?,
        Command::Bench(arguments) => blocking(move || bench::run(&arguments)).await?,
        Command::Register(arguments) => arguments.run().await?,
        Command::Overview(arguments) => arguments.run().await?,
        Command::Backup(arguments) => blocking(move || arguments.backup(arguments::DATA)).await?,
        Command::Restore(arguments) => blocking(move || arguments.restore(arguments::DATA)).await?,
        Command::Signer(arguments) => {
            let stop = shutdown::signal().map_err(CliError::Signals)?;
            arguments.run(stop).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Relay(arguments) => {
            relay::run(arguments).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Wallet { wallet, command } => command.run(&wallet).await?,
    };
    println!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// What every command that talks to the chain needs.
struct Node {
    spec: SubnetSpec,
    hotkey: Signer,
    chain: Client,
}

impl Node {
    async fn open(arguments: &NodeArgs, remote: &RemoteArgs) -> Result<Self, CliError> {
        let spec = arguments.subnet.load()?;
        let hotkey = remote.signer(&arguments.wallet).await?;
        let chain = Client::open(arguments.subtensor.endpoints.clone()).await?;
        Ok(Self {
            spec,
            hotkey,
            chain,
        })
    }

    /// The spec that the chain says, before anything costs time or can be punished.
    async fn spec_in_force(&self, data_dir: &Path) -> Result<SubnetSpec, SpecRefused> {
        let fetch = async |peers, digest| fetch_spec(&self.spec.limits, peers, digest).await;
        specs::in_force(
            &self.chain,
            &self.spec,
            data_dir,
            athanor_miner::lead,
            fetch,
        )
        .await
    }

    /// Keeps every other process from serving this hotkey.
    fn lock(&self) -> Result<Lock, LockError> {
        lock::hotkey(
            &lock::run_directory(),
            self.hotkey.hotkey(),
            self.chain.genesis(),
            self.spec.subnet.netuid,
        )
    }
}

async fn serve(
    mut arguments: RunArgs,
    mut settings: Settings<Arguments>,
    log_level: &LogLevel,
) -> Result<(), CliError> {
    let stop = shutdown::signal().map_err(CliError::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(CliError::Signals)?;
    let node = Node::open(&arguments.node, &arguments.remote).await?;
    let data_dir = arguments.data_dir(&node.spec);
    let tunables = arguments.tunable.tunables();
    let seed = seed_of(&node.hotkey.hotkey());
    // Held until the end of this function.
    let _locks = (lock::directory(&data_dir)?, node.lock()?);
    let next = arguments.node.subnet.load_next()?;
    for spec in [Some(&node.spec), next.as_ref()].into_iter().flatten() {
        specs::keep(&data_dir, spec)?;
    }
    let spec = node.spec_in_force(&data_dir).await?;
    let files = model::Files::prepare(&arguments, &data_dir, seed)?;
    files.check(&spec)?;
    let distill = match arguments.distill_off {
        true => None,
        false => Some(DistillSettings {
            source: open_source(files.teacher.clone()).await?,
            shard: None,
            seed,
            device: arguments.distill_device.unwrap_or(arguments.device),
            duty: tunables.duty.unwrap_or(1.0),
            judge_every: arguments.distill_judge_every,
        }),
    };
    let metrics = Metrics::default();
    let (feed, _events) = arguments.feed.open(NodeKind::Miner, &metrics).await?;
    // Served until the end of this function; a port that is taken is told before anything starts.
    let _server = match arguments.metrics.addr {
        Some(address) => Some(metrics::serve(address, metrics.clone()).await?),
        None => None,
    };
    let _summaries = metrics.summarise(SUMMARY_EVERY);
    // Once for every spec that comes into force.
    loop {
        let tunables = arguments.tunable.tunables();
        let spec = node.spec_in_force(&data_dir).await?;
        files.check(&spec)?;
        let digest = spec.digest();
        let mut miner = athanor_miner::start(MinerConfig {
            chain: node.chain.clone(),
            hotkey: node.hotkey.clone(),
            spec,
            ways: arguments.ways(),
            external: tunables.external,
            data_dir: data_dir.clone(),
            model: files.model.dir.clone(),
            device: arguments.device,
            engine: EngineSettings {
                slots: arguments.engine_slots,
                queue: arguments.engine_queue,
                weights: arguments.weights,
            },
            allowance: tunables.allowance,
            upkeep: tunables.upkeep,
            distill: distill.clone().map(|settings| DistillSettings {
                duty: tunables.duty.unwrap_or(settings.duty),
                ..settings
            }),
            behaviour: athanor_miner::Behaviour::Honest,
            feed: feed.clone(),
            metrics: metrics.clone(),
        })
        .await?;
        tracing::info!(
            hotkey = %miner.hotkey(),
            address = %miner.address().addr,
            checkpoint = %miner.backend().checkpoint(),
            spec = %digest,
            "serving"
        );
        let failure = loop {
            tokio::select! {
                () = stop.cancelled() => break None,
                error = miner.join() => break Some(error),
                _ = hangup.recv() => {
                    reload(&mut settings, &miner, log_level);
                    // What was taken over holds under another spec too.
                    if let Command::Run(changed) = &settings.arguments().command {
                        arguments.tunable = changed.tunable.clone();
                    }
                }
            }
        };
        miner.shutdown().await;
        match failure {
            None => return Ok(()),
            Some(error @ RunError::OtherSpec { .. }) => {
                tracing::warn!(%error, "taking up the spec in force");
            }
            Some(error) => return Err(error.into()),
        }
    }
}

/// Reads the settings again and takes over what can be, and says in the log what that is. Settings that are wrong change
/// nothing.
fn reload(settings: &mut Settings<Arguments>, miner: &Miner, log_level: &LogLevel) {
    let changed = match settings.reload() {
        Ok(changed) => changed,
        Err(error) => {
            let error = athanor_cli::line(&error);
            return tracing::error!(error, "SIGHUP: the settings stay as they were");
        }
    };
    if changed.is_empty() {
        return tracing::info!("SIGHUP: no setting has changed");
    }
    if let Command::Run(arguments) = &settings.arguments().command {
        miner.retune(&arguments.tunable.tunables());
    }
    if let Err(error) = log_level.change(&settings.arguments().logging) {
        tracing::error!(%error, "SIGHUP: the log stays as it was");
    }
    let mut taken_over = settings::keys_of::<TunableArgs>();
    taken_over.extend(LogLevel::SETTINGS.map(str::to_owned));
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
    for it in &changed {
        let (before, after) = (value(&it.before), value(&it.after));
        match taken_over.contains(&it.key) {
            true => tracing::info!(setting = it.key, before, after, "SIGHUP: changed"),
            false => tracing::warn!(
                setting = it.key,
                before,
                after,
                "SIGHUP: takes effect when the miner is started again"
            ),
        }
    }
}

async fn open_source(teacher: Checkpoint) -> Result<Arc<Source>, CliError> {
    Ok(Arc::new(blocking(move || Source::open(&teacher)).await?))
}

/// A seed of its own for every hotkey, so that no two miners train alike.
fn seed_of(hotkey: &Hotkey) -> u64 {
    let digest = athanor_spec::Digest::of(&hotkey.0);
    let mut seed = [0; 8];
    seed.copy_from_slice(&digest.0[..8]);
    u64::from_le_bytes(seed)
}
