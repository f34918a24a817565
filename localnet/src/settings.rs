//! The command line of the local subnet.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};

use crate::red_team;

/// Run a whole subnet on this machine: chain, validators, honest miners, and one of each cheat.
///
/// Without options it shows the terminal UI when standard output is a terminal, and one table per epoch when it is not.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(
    name = "athanor-localnet",
    version,
    args_conflicts_with_subcommands = true
)]
pub struct Settings {
    /// What to do instead of running a subnet at home.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Print one table per epoch instead of the terminal UI.
    #[arg(long)]
    pub headless: bool,

    /// Stop after this many epochs [default: run until interrupted].
    #[arg(long, value_name = "N")]
    pub epochs: Option<u64>,

    /// Seed of the roster, the initialisation, the data and the adversaries.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,

    /// Write the report (JSON) here when the run ends.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Write everything that the terminal UI is told to this file, for `athanor-tui --replay` (.gz: compressed).
    #[arg(long, value_name = "FILE", conflicts_with = "agreement")]
    pub record: Option<PathBuf>,

    /// Port of the chain's WebSocket on 127.0.0.1; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 9944)]
    pub port: u16,

    /// Blocks per epoch.
    #[arg(long, value_name = "BLOCKS", default_value_t = 24, value_parser = clap::value_parser!(u16).range(10..=360))]
    pub tempo: u16,

    /// Milliseconds per block.
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(100..=12_000))]
    pub block_time: u64,

    /// Subnet spec to run [default: the one that ships, less what needs a machine for each miner].
    #[arg(long, value_name = "FILE")]
    pub spec: Option<PathBuf>,

    /// Directory for wallets, checkpoints and ledgers [default: a temporary one, removed at the end].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Device of all models: auto, cpu, or cuda:N.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: athanor_model::DeviceChoice,

    /// Let the first validator serve users at http://127.0.0.1:PORT/v1, as OpenAI's API does; 0 takes a free port.
    #[arg(long, value_name = "PORT")]
    pub gateway: Option<u16>,

    /// Serve the events of all daemons at http://127.0.0.1:PORT/events, for athanor-tui --feed and whoever else reads; 0 takes
    /// a free port.
    #[arg(long, value_name = "PORT")]
    pub feed: Option<u16>,

    /// Measure instead how far two validators agree on the ranking of eight honest miners, over --epochs rounds [default:
    /// 20]; ends with status 2 if Kendall's tau is below 0.9. --report takes the outcome.
    #[arg(long, conflicts_with = "spare_validator")]
    pub agreement: bool,

    /// Also register and stake a validator that is not run here; its wallet is `spare-0` in the data directory.
    #[arg(long)]
    pub spare_validator: bool,
}

/// What to do instead of running a subnet at home.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Command {
    /// Play the attacks of the catalogue on real subnets and say what each earned over honest work; ends with status 2 if
    /// any earned more than its bound, or if an honest miner was accused.
    RedTeam(Box<red_team::Arguments>),
}

impl Settings {
    /// What an empty command line gives, without a screen.
    pub fn headless() -> Self {
        Self::parse_from(["athanor-localnet", "--headless"])
    }

    /// Time between blocks.
    pub fn block_interval(&self) -> Duration {
        Duration::from_millis(self.block_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_arguments_are_valid() {
        let settings = Settings::try_parse_from(["athanor-localnet"]).unwrap();
        assert_eq!(settings.seed, 1);
        assert_eq!(settings.port, 9944);
        assert_eq!(settings.epochs, None);
    }

    #[test]
    fn an_epoch_too_short_for_a_round_is_refused() {
        let error = Settings::try_parse_from(["athanor-localnet", "--tempo", "3"]).unwrap_err();
        assert!(error.to_string().contains("--tempo"));
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn an_unknown_flag_is_refused_with_exit_code_2() {
        let error = Settings::try_parse_from(["athanor-localnet", "--epoch", "3"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}
