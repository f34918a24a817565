//! The owner's workbench: write, check, compare and publish a subnet's spec.

mod args;
mod check;
mod diff;
mod file;
mod hyperparameters;
mod new;
mod outcome;
mod publish;
mod reference;
mod register;
mod show;
mod simulate;
mod start;

use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
};

use args::{Arguments, Command};
use outcome::Outcome;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(athanor_cli::parse::<Arguments>().command).await {
        Ok(Outcome { text, status }) => match writeln!(io::stdout(), "{text}") {
            // A reader that has seen enough is no failure.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                failed(&*Box::<dyn Error>::from(error))
            }
            _ => status,
        },
        Err(error) => failed(&*error),
    }
}

/// One verb to its end. Each has an error of its own; here they only become a line.
async fn run(command: Command) -> Result<Outcome, Box<dyn Error>> {
    Ok(match command {
        Command::New(args) => new::run(&args)?,
        Command::Check(args) => check::run(&args).await?,
        Command::Show(args) => show::run(&args).await?,
        Command::Diff(args) => diff::run(&args)?,
        Command::Simulate(args) => simulate::run(&args)?,
        Command::Register(args) => register::run(&args).await?,
        Command::Start(args) => start::run(&args).await?,
        Command::Publish(args) => publish::run(&args).await?,
        Command::Hyperparameters(args) => hyperparameters::run(&args).await?,
        Command::Reference => Outcome::done(reference::text()),
    })
}

fn failed(error: &dyn Error) -> ExitCode {
    let text = error.to_string();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    eprintln!("error: {line}");
    ExitCode::from(athanor_cli::FAILURE)
}
