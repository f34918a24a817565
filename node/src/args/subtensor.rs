//! Which chain to talk to.

use athanor_chain::Endpoints;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, parser::ValueSource};

const NETWORK: &str = "subtensor.network";
const ENDPOINT: &str = "subtensor.chain_endpoint";
/// Network when nothing is said: nobody joins a public network by accident.
const DEFAULT: &str = "local";

/// The chain's nodes: `--subtensor.network` names one, `--subtensor.chain_endpoint` gives addresses.
///
/// Several, with commas or by repeating the option, take over from each other in their order. Addresses win over the
/// name, and a flag over the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubtensorArgs {
    /// Where the nodes are.
    pub endpoints: Endpoints,
}

// Written out because which of the two options wins depends on where each value comes from, which a derive cannot see.
impl Args for SubtensorArgs {
    fn augment_args(command: Command) -> Command {
        let endpoint = |text: &str| text.parse::<Endpoints>();
        command
            .arg(
                Arg::new(NETWORK)
                    .long(NETWORK)
                    .aliases(["subtensor-network", "network"])
                    .env("BT_SUBTENSOR_NETWORK")
                    .value_name("NETWORK")
                    .value_parser(endpoint)
                    .action(ArgAction::Append)
                    .default_value(DEFAULT)
                    .help("Network: local, finney, test or archive"),
            )
            .arg(
                Arg::new(ENDPOINT)
                    .long(ENDPOINT)
                    .aliases([
                        "subtensor.chain-endpoint",
                        "subtensor-chain-endpoint",
                        "chain-endpoint",
                    ])
                    .env("BT_SUBTENSOR_CHAIN_ENDPOINT")
                    .value_name("URL")
                    .value_parser(endpoint)
                    .action(ArgAction::Append)
                    .help(
                        "Address of a node of the chain (ws:// or wss://), instead of a network; several, with commas or \
                         by repeating the option, take over from each other",
                    ),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SubtensorArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let sources = [
            ValueSource::CommandLine,
            ValueSource::EnvVariable,
            ValueSource::DefaultValue,
        ];
        sources
            .iter()
            .flat_map(|source| [(ENDPOINT, source), (NETWORK, source)])
            .find(|(id, source)| matches.value_source(id) == Some(**source))
            .and_then(|(id, _)| matches.get_many::<Endpoints>(id))
            .and_then(|lists| lists.cloned().reduce(Endpoints::and))
            .map(|endpoints| Self { endpoints })
            .ok_or_else(|| Error::new(clap::error::ErrorKind::MissingRequiredArgument))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
