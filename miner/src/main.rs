//! Serve a student and keep distilling it.

use std::process::ExitCode;

use athanor_node::logging;

mod cli;

fn main() -> ExitCode {
    athanor_cli::report(run(athanor_cli::parse()))
}

fn run(arguments: cli::Arguments) -> Result<(), cli::CliError> {
    logging::init(&arguments.logging)?;
    let runtime = tokio::runtime::Runtime::new().map_err(cli::CliError::Runtime)?;
    let result = runtime.block_on(cli::run(arguments.command));
    // What still runs has been told to end; blocking work that hangs must not hang the exit.
    runtime.shutdown_timeout(cli::LAST_WORK);
    result
}
