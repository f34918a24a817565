//! Ask, audit, grade, and set weights.

use athanor_validator::cli;

fn main() -> std::process::ExitCode {
    athanor_cli::report(cli::main())
}
