//! Serve a student and keep distilling it.

use std::process::ExitCode;

use athanor_node::{Settings, logging};

mod cli;

/// The file of settings that is read if none is named, in `~/.athanor`.
const SETTINGS: &str = "miner.toml";

fn main() -> ExitCode {
    // A command that found something wrong has said so itself; an error has not.
    run().unwrap_or_else(|error| athanor_cli::report(Err(error)))
}

fn run() -> Result<ExitCode, cli::CliError> {
    let settings = Settings::<cli::Arguments>::load(SETTINGS)?;
    if let Some(dump) = settings.dump() {
        println!("{dump}");
        return Ok(ExitCode::SUCCESS);
    }
    let log_level = logging::init(&settings.arguments().logging)?;
    let runtime = tokio::runtime::Runtime::new().map_err(cli::CliError::Runtime)?;
    let result = runtime.block_on(cli::run(settings, log_level));
    // What still runs has been told to end; blocking work that hangs must not hang the exit.
    runtime.shutdown_timeout(cli::LAST_WORK);
    result
}
