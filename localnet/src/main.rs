//! Run a whole subnet, honest and dishonest, in one process.

use athanor_localnet::{run, settings::Settings};
use athanor_node::exit;
use clap::Parser as _;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    exit::report(run::run(Settings::parse()).await)
}
