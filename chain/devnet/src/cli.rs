//! What can be said on the command line, and what it means.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use athanor_devnet::{
    Clock, Config, Genesis, GenesisError, Keep, Limits, PatchError, Sealing, SpecError,
    SubnetGenesis, chain_spec, development_account,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use thiserror::Error;

/// A local chain that speaks Bittensor's tongue. Development accounts //Alice (also sudo), //Bob, //Charlie, //Dave,
/// //Eve and //Ferdie hold a million TAO each.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the genesis as JSON: what --genesis may change any part of.
    Genesis(GenesisArguments),
    /// Print a Substrate chain spec, for a standard node that runs the same runtime as WASM.
    BuildSpec(BuildSpec),
}

/// How the chain runs.
#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    genesis: GenesisArguments,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port to listen on; 0 takes a free one. The address is printed once the chain answers.
    #[arg(long, default_value_t = 9944)]
    port: u16,
    /// When blocks are made.
    #[arg(long, value_enum, default_value_t = SealingMode::Interval)]
    sealing: SealingMode,
    /// Which time blocks carry.
    #[arg(long, value_enum, default_value_t = ClockMode::Wall)]
    clock: ClockMode,
    /// Directory to keep the chain in, and to continue it from; without it the chain is kept in memory only.
    #[arg(long, value_name = "DIR")]
    base_path: Option<PathBuf>,
    /// Newest states that can be read.
    #[arg(long, value_name = "N", default_value_t = Keep::default().states, value_parser = clap::value_parser!(u32).range(1..))]
    state_history: u32,
    /// Newest blocks that are kept in memory; with --base-path, older ones are read from disk.
    #[arg(long, value_name = "N", default_value_t = Keep::default().blocks, value_parser = clap::value_parser!(u32).range(256..))]
    block_history: u32,
    /// Clients at a time.
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections)]
    max_connections: u32,
    /// Subscriptions of one client at a time.
    #[arg(long, value_name = "N", default_value_t = Limits::default().subscriptions)]
    max_subscriptions: u32,
    /// Bytes of a request.
    #[arg(long, value_name = "N", default_value_t = Limits::default().request_bytes)]
    max_request_bytes: u32,
    /// Offer dev_dropConnections, dev_delayInclusion and dev_refuse, with which anybody who connects can make things go
    /// wrong on purpose.
    #[arg(long)]
    faults: bool,
}

/// What the chain starts with.
#[derive(Debug, Args)]
pub(crate) struct GenesisArguments {
    /// What the chain starts with.
    #[arg(long, value_enum, default_value_t = Preset::Subnet)]
    preset: Preset,
    /// JSON or TOML file with what is changed of that (see `athanor-devnet genesis`). `//Name` is a development account.
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Milliseconds between blocks; also what clients are told.
    #[arg(long, value_name = "MS", default_value_t = 12_000, value_parser = clap::value_parser!(u64).range(1..))]
    block_time: u64,
    /// Blocks between epochs of the preset's subnet.
    #[arg(long, default_value_t = 20)]
    tempo: u16,
}

/// What a chain spec is made of.
#[derive(Debug, Args)]
pub(crate) struct BuildSpec {
    #[command(flatten)]
    genesis: GenesisArguments,
    /// The runtime as scripts/wasm.sh builds it. Without it the spec holds no code, and no node can start from it.
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// Write the state itself instead of the configuration that the runtime builds it from.
    #[arg(long)]
    raw: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SealingMode {
    /// One block every block time.
    Interval,
    /// One block per submitted extrinsic.
    Instant,
    /// Only by the RPC method dev_newBlock.
    Manual,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ClockMode {
    /// The machine's.
    Wall,
    /// One block time after the parent, whatever the machine's clock says.
    Virtual,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    /// Subnet 1, owned by //Alice.
    Subnet,
    /// No subnet: register one.
    Empty,
}

/// The command line asks for what cannot be done.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Patch(#[from] PatchError),
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error("cannot read {}: {source}", path.display())]
    Wasm { path: PathBuf, source: io::Error },
}

impl Arguments {
    /// The devnet that is asked for.
    pub(crate) fn config(self) -> Result<Config, CliError> {
        let run = self.run;
        Ok(Config {
            listen: SocketAddr::new(run.host, run.port),
            sealing: match run.sealing {
                SealingMode::Interval => {
                    Sealing::Interval(Duration::from_millis(run.genesis.block_time))
                }
                SealingMode::Instant => Sealing::Instant,
                SealingMode::Manual => Sealing::Manual,
            },
            clock: match run.clock {
                ClockMode::Wall => Clock::Wall,
                ClockMode::Virtual => Clock::Virtual,
            },
            genesis: run.genesis.genesis()?,
            base_path: run.base_path,
            keep: Keep {
                states: run.state_history,
                blocks: run.block_history,
            },
            limits: Limits {
                connections: run.max_connections,
                subscriptions: run.max_subscriptions,
                request_bytes: run.max_request_bytes,
                ..Limits::default()
            },
            faults: run.faults,
        })
    }
}

impl GenesisArguments {
    /// The genesis that is asked for.
    fn genesis(&self) -> Result<Genesis, CliError> {
        let mut genesis = Genesis::development(Duration::from_millis(self.block_time));
        genesis.subnets = match self.preset {
            Preset::Empty => Vec::new(),
            Preset::Subnet => vec![SubnetGenesis {
                tempo: self.tempo,
                ..SubnetGenesis::new(1, development_account("Alice"))
            }],
        };
        if let Some(path) = &self.genesis {
            genesis.patch = Genesis::read_patch(path)?;
        }
        Ok(genesis)
    }

    /// The genesis as JSON.
    pub(crate) fn print(&self) -> Result<String, CliError> {
        Ok(format!("{:#}", self.genesis()?.to_json()?))
    }
}

impl BuildSpec {
    /// The chain spec as JSON.
    pub(crate) fn print(&self) -> Result<String, CliError> {
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|source| CliError::Wasm {
                path: path.clone(),
                source,
            })
        };
        let code = self.wasm.as_ref().map(read).transpose()?;
        let genesis = self.genesis.genesis()?;
        let spec = chain_spec(&genesis, code.as_deref(), self.raw)?;
        if code.is_none() {
            eprintln!(
                "athanor-devnet: this spec holds no code; give --wasm FILE, which scripts/wasm.sh builds"
            );
        }
        Ok(format!("{spec:#}"))
    }
}
