//! Run a one-process chain with the subnet's rules.

mod cli;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use athanor_devnet::{Config, spawn};
use tracing_subscriber::EnvFilter;

use self::cli::{Arguments, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
    let arguments = athanor_cli::parse::<Arguments>();
    let printed = match &arguments.command {
        Some(Command::Genesis(genesis)) => genesis.print(),
        Some(Command::BuildSpec(spec)) => spec.print(),
        None => {
            return match arguments.config() {
                Ok(config) => run(config).await,
                Err(error) => athanor_cli::report(Err(error)),
            };
        }
    };
    match printed {
        Ok(text) => print(&text),
        Err(error) => athanor_cli::report(Err(error)),
    }
}

/// Runs a devnet until it is asked to stop.
async fn run(config: Config) -> ExitCode {
    let devnet = match spawn(config).await {
        Ok(devnet) => devnet,
        Err(error) => return athanor_cli::report(Err(error)),
    };
    print(&devnet.url());
    if let Err(error) = asked_to_stop().await {
        eprintln!("athanor-devnet: cannot wait for a signal to stop, so stopping now: {error}");
    }
    devnet.shutdown().await;
    ExitCode::SUCCESS
}

/// Prints to somebody who may have stopped listening.
fn print(text: &str) -> ExitCode {
    let _ = writeln!(io::stdout(), "{text}");
    ExitCode::SUCCESS
}

/// Waits for ctrl-c or, where there is such a thing, SIGTERM.
async fn asked_to_stop() -> io::Result<()> {
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
