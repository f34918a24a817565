//! Run a whole subnet, honest and dishonest, in one process.

use athanor_localnet::{run, settings::Settings};

#[tokio::main]
async fn main() -> std::process::ExitCode {
    athanor_cli::report(run::run(athanor_cli::parse::<Settings>()).await)
}
