//! Ask, audit, grade, and set weights.

use athanor_validator::cli;

fn main() -> std::process::ExitCode {
    // A command that found something wrong has said so itself; an error has not.
    cli::main().unwrap_or_else(|error| athanor_cli::report(Err(error)))
}
