//! The command line of the red team.

use std::path::PathBuf;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};

use crate::{adversary, adversary::Driver, settings::Settings};

/// Blocks per epoch, and milliseconds per block: as short as a round of a dozen nodes on two cores allows.
const TEMPO: u16 = 20;
const BLOCK_TIME_MS: u64 = 1000;

/// What `red-team` may be told.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct Arguments {
    /// The attacks to play [default: all].
    #[arg(long = "attack", value_name = "NAME", num_args = 1.., value_parser = driver(), hide_possible_values = true)]
    pub attacks: Vec<&'static Driver>,

    /// Epochs of each subnet: two pass before anybody is paid, and one attack turns only after the second.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(3..=10_000))]
    pub epochs: u64,

    /// Seed of keys, models, attackers and bounds.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,

    /// Print the findings as JSON.
    #[arg(long)]
    pub json: bool,

    /// Write the findings (JSON) here as well.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Subnet spec to attack [default: that of a local subnet, with 12 asks per miner and round].
    #[arg(long, value_name = "FILE")]
    pub spec: Option<PathBuf>,

    /// Milliseconds per block: more for a slower machine.
    #[arg(long, value_name = "MS", default_value_t = BLOCK_TIME_MS, value_parser = clap::value_parser!(u64).range(100..=12_000))]
    pub block_time: u64,
}

fn driver() -> impl clap::builder::TypedValueParser<Value = &'static Driver> {
    PossibleValuesParser::new(adversary::ALL.iter().map(|driver| driver.name))
        .try_map(|name| Driver::find(&name).ok_or_else(|| format!("there is no attack {name}")))
}

impl Arguments {
    /// The attacks to play, in the order of the catalogue.
    pub(super) fn drivers(&self) -> Vec<&'static Driver> {
        let asked =
            |driver: &&'static Driver| self.attacks.is_empty() || self.attacks.contains(driver);
        adversary::ALL.iter().filter(asked).collect()
    }

    /// What a subnet is started with.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            seed: self.seed,
            port: 0,
            tempo: TEMPO,
            block_time: self.block_time,
            spec: self.spec.clone(),
            ..Settings::headless()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::settings::Command;

    fn parse(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        let all = ["athanor-localnet", "red-team"].iter().chain(arguments);
        let settings = Settings::try_parse_from(all)?;
        match settings.command {
            Some(Command::RedTeam(arguments)) => Ok(*arguments),
            None => panic!("no command"),
        }
    }

    #[test]
    fn without_a_name_all_attacks_are_played() {
        assert_eq!(parse(&[]).unwrap().drivers().len(), adversary::ALL.len());
        let some = parse(&["--attack", "relay", "copycat", "--attack", "cabal"]).unwrap();
        let names: Vec<_> = some.drivers().iter().map(|driver| driver.name).collect();
        assert_eq!(names, ["copycat", "relay", "cabal"]);
    }

    #[test]
    fn an_unknown_attack_is_refused_with_the_known_ones() {
        let error = parse(&["--attack", "copy_cat"]).unwrap_err();
        let told = athanor_cli::sentence(&error);
        assert_eq!(error.exit_code(), 2);
        for name in ["copy_cat", "copycat", "stale_revealer"] {
            assert!(told.contains(name), "{told}");
        }
    }

    #[test]
    fn a_run_in_which_nobody_is_paid_is_refused() {
        let error = parse(&["--epochs", "2"]).unwrap_err();
        assert!(error.to_string().contains("--epochs"), "{error}");
    }

    #[test]
    fn flags_of_the_subnet_at_home_do_not_mix_with_the_red_team_s() {
        let mixed = ["athanor-localnet", "--headless", "red-team"];
        assert_eq!(Settings::try_parse_from(mixed).unwrap_err().exit_code(), 2);
    }
}
