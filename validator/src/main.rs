//! Ask, audit, grade, and set weights.

use athanor_node::exit;
use athanor_validator::cli::{Cli, execute};

#[tokio::main]
async fn main() -> std::process::ExitCode {
    exit::report(execute(exit::parse::<Cli>()).await)
}
