//! The command line.

use std::{path::PathBuf, time::Duration};

use athanor_chain::{Endpoint, ParseEndpointError};
use athanor_spec::NetUid;
use athanor_tui::{Events, Source};
use clap::Parser;

/// Block time of Bittensor's own networks.
const BITTENSOR_BLOCK: Duration = Duration::from_secs(12);

/// Show the live subnet in a terminal.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(name = "athanor-tui", version, max_term_width = 110)]
pub(crate) struct Args {
    /// Network to read: local (ws://127.0.0.1:9944), finney, test or archive
    #[arg(
        long = "subtensor.network",
        visible_aliases = ["subtensor-network", "network"],
        env = "BT_SUBTENSOR_NETWORK",
        default_value = "local",
        value_name = "NAME"
    )]
    network: String,
    /// WebSocket address of a node, instead of a named network
    #[arg(
        long = "subtensor.chain_endpoint",
        visible_alias = "subtensor-chain-endpoint",
        env = "BT_SUBTENSOR_CHAIN_ENDPOINT",
        value_name = "URL"
    )]
    chain_endpoint: Option<String>,
    /// The subnet
    #[arg(long, env = "BT_NETUID", default_value = "1", value_name = "N")]
    netuid: NetUid,
    /// JSON lines that a daemon writes: adds grades, evidence and training to what the chain shows
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Print the subnet once as a table and leave
    #[arg(long)]
    once: bool,
    /// With --once: print JSON
    #[arg(long, requires = "once")]
    json: bool,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The terminal UI.
    Live,
    /// One table.
    Table,
    /// One JSON document.
    Json,
}

impl Args {
    /// What is printed.
    pub(crate) fn mode(&self) -> Mode {
        match (self.once, self.json) {
            (true, true) => Mode::Json,
            (true, false) => Mode::Table,
            (false, _) => Mode::Live,
        }
    }

    /// What to show.
    pub(crate) fn source(self) -> Result<Source, ParseEndpointError> {
        let endpoint = self.chain_endpoint.unwrap_or(self.network);
        // Checked here, so that a typo is an error at once and not a connection that is retried for ever.
        endpoint.parse::<Endpoint>()?;
        let public = ["finney", "test", "archive"].contains(&endpoint.as_str());
        Ok(Source {
            endpoint,
            netuid: self.netuid,
            events: self.events.map_or(Events::None, Events::File),
            labels: Default::default(),
            block_time: public.then_some(BITTENSOR_BLOCK),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Args {
        Args::try_parse_from(line.split_whitespace()).unwrap()
    }

    #[test]
    fn dotted_and_dashed_spellings_are_the_same() {
        let dotted = parse("athanor-tui --subtensor.chain_endpoint ws://h:1 --netuid 7");
        assert_eq!(
            dotted,
            parse("athanor-tui --subtensor-chain-endpoint ws://h:1 --netuid 7")
        );
        let source = dotted.source().unwrap();
        assert_eq!(
            (source.endpoint.as_str(), source.netuid),
            ("ws://h:1", NetUid(7))
        );
        assert_eq!(
            parse("athanor-tui --subtensor.network test"),
            parse("athanor-tui --network test")
        );
    }

    #[test]
    fn an_address_wins_over_a_network_and_a_typo_is_refused() {
        let both = parse("athanor-tui --network finney --subtensor.chain_endpoint ws://h:1");
        assert_eq!(both.source().unwrap().block_time, None);
        assert_eq!(
            parse("athanor-tui --network finney")
                .source()
                .unwrap()
                .block_time,
            Some(BITTENSOR_BLOCK)
        );
        assert!(parse("athanor-tui --network finny").source().is_err());
    }

    #[test]
    fn json_is_a_form_of_the_single_picture() {
        assert_eq!(parse("athanor-tui").mode(), Mode::Live);
        assert_eq!(parse("athanor-tui --once").mode(), Mode::Table);
        assert_eq!(parse("athanor-tui --once --json").mode(), Mode::Json);
        assert!(Args::try_parse_from(["athanor-tui", "--json"]).is_err());
    }
}
