//! Ask, audit, grade, and set weights.

use athanor_validator::cli::{Cli, execute};

#[tokio::main]
async fn main() -> std::process::ExitCode {
    athanor_cli::report(execute(athanor_cli::parse::<Cli>()).await)
}
