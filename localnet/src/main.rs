//! Run a whole subnet, honest and dishonest, in one process.

use athanor_localnet::{run, settings::Settings};
use athanor_node::exit;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    exit::report(run::run(exit::parse::<Settings>()).await)
}
