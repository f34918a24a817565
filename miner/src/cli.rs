//! The command line.

mod arguments;
mod bench;
mod model;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use athanor_chain::{Client, ConnectError, ReadError, WalletError};
use athanor_distill::{
    bundled::BundledError,
    init::StudentError,
    source::{Source, SourceError},
};
use athanor_miner::{
    CheckpointRefused, DistillSettings, EngineSettings, MinerConfig, RunError, StartError,
};
use athanor_model::{Checkpoint, checkpoint::CheckpointError};
use athanor_node::{
    Feed, Metrics, NodeArgs, Settings,
    args::SpecFileError,
    backup::BackupError,
    feed::FeedError,
    lock::{self, Lock, LockError},
    logging::LoggingError,
    metrics::{self, MetricsError, Phase},
    overview::OverviewError,
    register::RegisterCommandError,
    settings::SettingsError,
    shutdown,
    signer::SignerError,
    wallet::WalletCommandError,
};
use athanor_spec::{Hotkey, SubnetSpec};
use sp_core::{Pair as _, sr25519};
use thiserror::Error;

pub(crate) use arguments::Arguments;
use arguments::{Command, RunArgs};

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
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Runs one command to its end.
pub(crate) async fn run(settings: Settings<Arguments>) -> Result<(), CliError> {
    match settings.arguments().command.clone() {
        Command::Run(arguments) => serve(*arguments).await,
        Command::Check(arguments) => check(*arguments).await,
        Command::Bench(arguments) => {
            let report = tokio::task::spawn_blocking(move || bench::run(&arguments)).await;
            match report {
                Ok(report) => println!("{}", report?),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
            Ok(())
        }
        Command::Register(arguments) => {
            println!("{}", arguments.run().await?);
            Ok(())
        }
        Command::Overview(arguments) => {
            println!("{}", arguments.run().await?);
            Ok(())
        }
        Command::Backup(arguments) => packing(move || arguments.backup(arguments::DATA)).await,
        Command::Restore(arguments) => packing(move || arguments.restore(arguments::DATA)).await,
        Command::Signer(arguments) => {
            let stop = shutdown::signal().map_err(CliError::Signals)?;
            Ok(arguments.run(stop).await?)
        }
        Command::Wallet { wallet, command } => {
            println!("{}", command.run(&wallet).await?);
            Ok(())
        }
    }
}

/// Packs or unpacks off the async threads, and says what was done.
async fn packing(
    work: impl FnOnce() -> Result<String, BackupError> + Send + 'static,
) -> Result<(), CliError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(told) => println!("{}", told?),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
    Ok(())
}

/// What every command that talks to the chain needs.
struct Node {
    spec: SubnetSpec,
    hotkey: sr25519::Pair,
    chain: Client,
}

impl Node {
    async fn open(arguments: &NodeArgs) -> Result<Self, CliError> {
        let spec = arguments.subnet.load()?;
        let hotkey = arguments.wallet.wallet().hotkey()?;
        let chain = Client::open(arguments.subtensor.endpoints.clone()).await?;
        Ok(Self {
            spec,
            hotkey,
            chain,
        })
    }

    /// Keeps every other process from serving this hotkey.
    fn lock(&self) -> Result<Lock, LockError> {
        lock::hotkey(
            &lock::run_directory(),
            Hotkey(self.hotkey.public().0),
            self.chain.genesis(),
            self.spec.subnet.netuid,
        )
    }
}

async fn serve(arguments: RunArgs) -> Result<(), CliError> {
    let stop = shutdown::signal().map_err(CliError::Signals)?;
    let node = Node::open(&arguments.node).await?;
    let data_dir = arguments.data_dir(&node.spec);
    let seed = seed_of(&node.hotkey);
    // Held until the end of this function.
    let _locks = (lock::directory(&data_dir)?, node.lock()?);
    let files = model::Files::prepare(&arguments, &data_dir, seed)?;
    files.check(&node.spec)?;
    let distill = match arguments.distill_off {
        true => None,
        false => Some(DistillSettings {
            source: open_source(files.teacher.clone()).await?,
            shard: None,
            seed,
            device: arguments.distill_device.unwrap_or(arguments.device),
            duty: arguments.distill_duty,
            judge_every: arguments.distill_judge_every,
        }),
    };
    let feed = match &arguments.feed_file {
        Some(path) => Feed::with_file(path)?,
        None => Feed::new(),
    };
    let metrics = Metrics::default();
    // Served until the end of this function; a port that is taken is told before anything starts.
    let _server = match arguments.metrics.addr {
        Some(address) => Some(metrics::serve(address, metrics.clone()).await?),
        None => None,
    };
    let mut miner = athanor_miner::start(MinerConfig {
        chain: node.chain,
        hotkey: node.hotkey,
        spec: node.spec,
        listen: arguments.listen(),
        external: arguments.external(),
        data_dir,
        model: files.model.dir,
        device: arguments.device,
        engine: EngineSettings {
            slots: arguments.engine_slots,
            queue: arguments.engine_queue,
            weights: arguments.weights,
        },
        allowance: arguments.allowance(),
        distill,
        behaviour: athanor_miner::Behaviour::Honest,
        feed,
        metrics: metrics.clone(),
    })
    .await?;
    metrics.phase(Phase::Serving);
    let _summaries = metrics.summarise(SUMMARY_EVERY);
    tracing::info!(
        hotkey = %miner.hotkey(),
        address = %miner.address().addr,
        checkpoint = %miner.backend().checkpoint(),
        "serving"
    );
    let failure = tokio::select! {
        () = stop.cancelled() => None,
        error = miner.join() => Some(error),
    };
    metrics.phase(Phase::Draining);
    miner.shutdown().await;
    failure.map_or(Ok(()), |error| Err(error.into()))
}

/// Everything that `run` would refuse, without serving.
async fn check(arguments: RunArgs) -> Result<(), CliError> {
    let spec = arguments.node.subnet.load()?;
    let hotkey = arguments.node.wallet.wallet().hotkey()?;
    let files = model::Files::prepare(&arguments, &arguments.data_dir(&spec), seed_of(&hotkey))?;
    files.check(&spec)?;
    let node = Node::open(&arguments.node).await?;
    let netuid = spec.subnet.netuid;
    let metagraph = node.chain.metagraph(netuid).await?;
    let hotkey = Hotkey(hotkey.public().0);
    let neuron = metagraph
        .by_hotkey(&hotkey)
        .ok_or(StartError::NotRegistered { hotkey, netuid })?;
    println!(
        "hotkey      {hotkey}, UID {} on subnet {netuid}",
        neuron.uid
    );
    println!("spec        {}", spec.digest());
    println!("model       {}", athanor_spec::Digest(files.model.digest()));
    println!(
        "teacher     {}",
        athanor_spec::Digest(files.teacher.digest())
    );
    match neuron
        .commitment
        .and_then(|(record, _)| record.checkpoint())
    {
        Some(digest) => println!("committed   {digest}"),
        None => println!("committed   nothing yet; `run` commits"),
    }
    Ok(())
}

async fn open_source(teacher: Checkpoint) -> Result<Arc<Source>, CliError> {
    match tokio::task::spawn_blocking(move || Source::open(&teacher)).await {
        Ok(source) => Ok(Arc::new(source?)),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// A seed of its own for every hotkey, so that no two miners train alike.
fn seed_of(hotkey: &sr25519::Pair) -> u64 {
    let digest = athanor_spec::Digest::of(&hotkey.public().0);
    let mut seed = [0; 8];
    seed.copy_from_slice(&digest.0[..8]);
    u64::from_le_bytes(seed)
}
