//! Run a one-process chain with the subnet's rules.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use athanor_devnet::{Clock, Config, Genesis, Sealing, SubnetGenesis, development_account, spawn};
use clap::{Parser, ValueEnum};
use tracing_subscriber::EnvFilter;

/// A local chain that speaks Bittensor's tongue. Development accounts //Alice (also sudo), //Bob, //Charlie, //Dave,
/// //Eve and //Ferdie hold a million TAO each.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: std::net::IpAddr,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 9944)]
    port: u16,
    /// Milliseconds between blocks; also what clients are told.
    #[arg(long, default_value_t = 12_000, value_parser = clap::value_parser!(u64).range(1..))]
    block_time: u64,
    /// When blocks are made.
    #[arg(long, value_enum, default_value_t = SealingMode::Interval)]
    sealing: SealingMode,
    /// What the chain starts with.
    #[arg(long, value_enum, default_value_t = Preset::Subnet)]
    genesis: Preset,
    /// Blocks between epochs of the preset's subnet.
    #[arg(long, default_value_t = 20)]
    tempo: u16,
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
enum Preset {
    /// Subnet 1, owned by //Alice.
    Subnet,
    /// No subnet: register one.
    Empty,
}

impl Arguments {
    fn config(&self) -> Config {
        let block_time = Duration::from_millis(self.block_time);
        let mut genesis = Genesis::development(block_time);
        genesis.subnets = match self.genesis {
            Preset::Empty => Vec::new(),
            Preset::Subnet => {
                let subnet = SubnetGenesis::new(1, development_account("Alice"));
                vec![SubnetGenesis {
                    tempo: self.tempo,
                    ..subnet
                }]
            }
        };
        Config {
            listen: SocketAddr::new(self.host, self.port),
            sealing: match self.sealing {
                SealingMode::Interval => Sealing::Interval(block_time),
                SealingMode::Instant => Sealing::Instant,
                SealingMode::Manual => Sealing::Manual,
            },
            clock: Clock::Wall,
            genesis,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let devnet = match spawn(athanor_cli::parse::<Arguments>().config()).await {
        Ok(devnet) => devnet,
        Err(error) => return athanor_cli::report(Err(error)),
    };
    println!("{}", devnet.url());
    if let Err(error) = asked_to_stop().await {
        eprintln!("athanor-devnet: cannot wait for a signal to stop, so stopping now: {error}");
    }
    devnet.shutdown().await;
    ExitCode::SUCCESS
}

/// Waits for ctrl-c or, where there is such a thing, SIGTERM.
async fn asked_to_stop() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    {
        tokio::signal::ctrl_c().await
    }
}
