//! The command line.

use std::path::PathBuf;

use athanor_chain::Endpoint;
use athanor_spec::NetUid;
use clap::{Args, Parser, Subcommand};

/// Check and show a subnet's spec, and how the chain sees a subnet.
#[derive(Parser)]
#[command(name = "athanor-subnet", version)]
pub(crate) struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write a spec to start from; never over an existing file
    New {
        /// Where to write it
        #[arg(default_value = "subnet.toml")]
        file: PathBuf,
    },
    /// Check a spec; if it is invalid, say which key is and what would be valid
    Check {
        /// The spec
        file: PathBuf,
    },
    /// Show a spec's digest and values, or a subnet as the chain holds it
    Show {
        #[command(flatten)]
        what: What,
        /// Node of the chain: local, finney, test, archive, or an address (ws:// or wss://)
        #[arg(
            long = "subtensor.network",
            aliases = ["subtensor-network", "subtensor.chain_endpoint", "subtensor.chain-endpoint"],
            env = "BT_SUBTENSOR_NETWORK",
            value_name = "NETWORK",
            default_value = "local"
        )]
        network: Endpoint,
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
}

/// What to show: a file, or a subnet of the chain.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct What {
    /// The spec to show
    pub(crate) file: Option<PathBuf>,
    /// The subnet to show
    #[arg(long, value_name = "N")]
    pub(crate) netuid: Option<NetUid>,
}
