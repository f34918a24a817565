//! Check and show a subnet's spec.

mod args;
mod chain;
mod spec;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use thiserror::Error;

use args::{Arguments, Command, What};

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
    match run(athanor_cli::parse::<Arguments>().command).await {
        // A reader that has seen enough is no failure.
        Err(RunError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        result => athanor_cli::report(result),
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
