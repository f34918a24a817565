//! Check and show a subnet's spec.

mod args;
mod chain;
mod spec;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use thiserror::Error;

use args::{Arguments, Command, What};

/// Exit status of a failure, the same that the argument parser uses.
const FAILURE: u8 = 2;

/// Why nothing was printed.
#[derive(Debug, Error)]
enum RunError {
    #[error(transparent)]
    Spec(#[from] spec::SpecFileError),
    #[error(transparent)]
    Show(#[from] chain::ShowError),
    #[error("cannot write to standard output: {0}")]
    Print(#[from] io::Error),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that has seen enough is no failure.
        Err(RunError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            // A TOML error draws the line in question below itself; scripts read one line.
            let line = error
                .to_string()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            eprintln!("error: {line}");
            ExitCode::from(FAILURE)
        }
    }
}

async fn run(command: Command) -> Result<(), RunError> {
    let text = match command {
        Command::New { file } => spec::new(&file)?,
        Command::Check { file } => spec::check(&file)?,
        Command::Show {
            what: What {
                netuid: Some(netuid),
                ..
            },
            network,
            json,
        } => chain::show(&network, netuid, json).await?,
        Command::Show {
            what: What { file, .. },
            json,
            ..
        } => spec::show(&file.unwrap_or_default(), json)?,
    };
    Ok(writeln!(io::stdout(), "{text}")?)
}
