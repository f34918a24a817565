//! The command line.

use std::{io, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use athanor_chain::{Endpoint, ParseEndpointError};
use athanor_spec::{NetUid, Uid};
use athanor_tui::{Events, Look, Options, Screen, Source, State, Theme, View, source::Feed};
use clap::{Parser, ValueEnum};
use thiserror::Error;

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
    /// Addresses of daemons' feeds (their --feed.addr), with commas: what --events adds, from daemons that run
    #[arg(
        long,
        env = "ATHANOR_FEED",
        value_name = "URL",
        value_delimiter = ',',
        conflicts_with = "events"
    )]
    feed: Vec<Feed>,
    /// File with the token that the feeds want to be shown (their --feed.token)
    #[arg(
        long = "feed.token",
        alias = "feed-token",
        env = "ATHANOR_FEED_TOKEN",
        value_name = "FILE",
        requires = "feed"
    )]
    feed_token: Option<PathBuf>,
    /// Print one frame as text and leave
    #[arg(long)]
    once: bool,
    /// Print everything that is known once, as one JSON object, and leave
    #[arg(long)]
    json: bool,
    /// The screen to begin with, or to print
    #[arg(long, value_name = "NAME", value_enum, default_value_t)]
    screen: ScreenName,
    /// The neuron that the screen is about
    #[arg(long, value_name = "UID")]
    select: Option<Uid>,
    /// With --once: columns and rows of the frame
    #[arg(
        long,
        value_name = "WIDTHxHEIGHT",
        default_value = "120x40",
        requires = "once"
    )]
    size: Size,
    /// Write everything that comes to this file, to be played again (.gz: compressed)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["once", "json", "replay"])]
    record: Option<PathBuf>,
    /// Play a recording instead of watching a chain
    #[arg(long, value_name = "FILE", conflicts_with_all = ["network", "chain_endpoint", "events", "feed"])]
    replay: Option<PathBuf>,
    /// With --replay: how fast, in times real time (1/8 to 256)
    #[arg(
        long,
        value_name = "FACTOR",
        default_value_t = 1.0,
        requires = "replay"
    )]
    speed: f64,
    /// With --replay and --once or --json: after how many seconds; its end otherwise
    #[arg(long, value_name = "SECONDS", requires = "replay")]
    at: Option<f64>,
    /// What the terminal's background is
    #[arg(long, value_enum, default_value_t)]
    theme: Theme,
    /// Draw with ASCII only
    #[arg(long)]
    ascii: bool,
}

/// A screen by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ScreenName {
    /// The subnet at a glance
    #[default]
    Overview,
    /// All neurons
    Metagraph,
    /// One miner: why it is paid what it is
    Miner,
    /// One validator: its votes
    Validator,
    /// Rounds as they go
    Rounds,
    /// Who works together
    Collusion,
    /// Rules, what-if, extrinsics and events
    Chain,
    /// What happened
    Logs,
    /// The keys
    Help,
    /// With --once: the epoch as a plain table, as athanor-localnet prints it
    Table,
}

/// Columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size(u16, u16);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let sizes = text.split_once('x').and_then(|(width, height)| {
            let side = |text: &str| text.parse().ok().filter(|side| (1..=1000).contains(side));
            Some(Self(side(width)?, side(height)?))
        });
        sizes.ok_or_else(|| "expected columns x rows, such as 160x50, each up to 1000".to_owned())
    }
}

/// Why nothing can be shown as it was asked for.
#[derive(Debug, Error)]
pub(crate) enum ArgsError {
    /// The network is none.
    #[error(transparent)]
    Endpoint(#[from] ParseEndpointError),
    /// The token cannot be read.
    #[error("cannot read the token in {}: {source}", path.display())]
    Token { path: PathBuf, source: io::Error },
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The terminal UI.
    Live,
    /// Nothing: everything goes to the recording.
    Record,
    /// One frame of so many columns and rows.
    Frame((u16, u16)),
    /// One table.
    Table,
    /// One JSON document.
    Json,
}

impl Args {
    /// What is printed; `terminal` says whether there is one to draw in.
    pub(crate) fn mode(&self, terminal: bool) -> Mode {
        match (self.json, self.once, self.screen) {
            (true, ..) => Mode::Json,
            (false, true, ScreenName::Table) => Mode::Table,
            (false, true, _) => Mode::Frame((self.size.0, self.size.1)),
            (false, false, _) if self.record.is_some() && !terminal => Mode::Record,
            (false, false, _) => Mode::Live,
        }
    }

    /// The recording to play, how fast, and how far.
    pub(crate) fn replay(&self) -> Option<(PathBuf, f64, Option<Duration>)> {
        let at = self
            .at
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Some((self.replay.clone()?, self.speed, at))
    }

    /// How to show it.
    pub(crate) fn options(&self) -> Options {
        Options {
            view: self.view(),
            look: self.look(),
            record: self.record.clone(),
        }
    }

    /// Colours and characters.
    pub(crate) fn look(&self) -> Look {
        Look::from_environment(self.theme, self.ascii)
    }

    /// The screen to print of a state.
    pub(crate) fn screen(&self, state: &State) -> Screen {
        let selected = self.select.and_then(|uid| {
            let chain = state.chain.as_ref()?;
            Some(chain.metagraph.by_uid(uid)?.hotkey)
        });
        let mut screen = Screen::at(self.view());
        screen.selected = selected;
        screen.help = self.screen == ScreenName::Help;
        screen
    }

    fn view(&self) -> View {
        match self.screen {
            ScreenName::Overview | ScreenName::Help | ScreenName::Table => View::Overview,
            ScreenName::Metagraph => View::Metagraph,
            ScreenName::Miner => View::Miner,
            ScreenName::Validator => View::Validator,
            ScreenName::Rounds => View::Rounds,
            ScreenName::Collusion => View::Collusion,
            ScreenName::Chain => View::Chain,
            ScreenName::Logs => View::Log,
        }
    }

    /// What to show.
    pub(crate) fn source(self) -> Result<Source, ArgsError> {
        let events = self.events()?;
        let endpoint = self.chain_endpoint.unwrap_or(self.network);
        // Checked here, so that a typo is an error at once and not a connection that is retried for ever.
        endpoint.parse::<Endpoint>()?;
        let public = ["finney", "test", "archive"].contains(&endpoint.as_str());
        Ok(Source {
            endpoint,
            netuid: self.netuid,
            events,
            labels: Default::default(),
            block_time: public.then_some(BITTENSOR_BLOCK),
        })
    }

    fn events(&self) -> Result<Events, ArgsError> {
        if let Some(path) = &self.events {
            return Ok(Events::File(path.clone()));
        }
        if self.feed.is_empty() {
            return Ok(Events::None);
        }
        let token = match &self.feed_token {
            None => None,
            Some(path) => match std::fs::read_to_string(path) {
                Ok(text) => Some(Arc::from(text.trim())),
                Err(source) => {
                    let path = path.clone();
                    return Err(ArgsError::Token { path, source });
                }
            },
        };
        let feeds = self.feed.iter().cloned();
        Ok(Events::Feeds(
            feeds.map(|feed| feed.with_token(token.clone())).collect(),
        ))
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
    fn what_is_printed_follows_from_the_flags() {
        for (line, mode) in [
            ("athanor-tui", Mode::Live),
            ("athanor-tui --record a.jsonl", Mode::Live),
            ("athanor-tui --once", Mode::Frame((120, 40))),
            ("athanor-tui --once --size 160x50", Mode::Frame((160, 50))),
            ("athanor-tui --once --screen table", Mode::Table),
            ("athanor-tui --json", Mode::Json),
            ("athanor-tui --once --json", Mode::Json),
        ] {
            assert_eq!(parse(line).mode(true), mode, "{line}");
        }
        assert_eq!(parse("athanor-tui --record a").mode(false), Mode::Record);
        for wrong in [
            "athanor-tui --once --size 160",
            "athanor-tui --once --size 0x9",
            "athanor-tui --record a --replay b",
            "athanor-tui --replay a --network test",
            "athanor-tui --speed 2",
            "athanor-tui --screen nowhere",
        ] {
            assert!(Args::try_parse_from(wrong.split(' ')).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_view_has_a_screen_of_its_name() {
        for view in View::ALL {
            let line = format!("athanor-tui --screen {}", view.name().to_lowercase());
            assert_eq!(parse(&line).view(), view);
        }
    }
}
