//! Whether, where and to whom to tell events.

use std::{net::SocketAddr, path::PathBuf};

use athanor_spec::wire::NodeKind;
use clap::Args;
use thiserror::Error;

use super::metrics::port_or_address;
use crate::{
    Feed, Metrics,
    feed::{self, FeedError, FeedServer, ServeFeedError},
    token::{self, TokenError},
};

/// Holds the token itself, where a file would be in the way.
const SECRET: &str = "ATHANOR_FEED_SECRET";

// The ids keep these options apart from others of one name, such as the address of the metrics.
/// Events as they happen; told to nobody unless it is asked for.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedArgs {
    /// Serve events at http://ADDR/events as server-sent events: PORT for this machine alone, or IP:PORT with --feed.token; port 0 takes a free one
    #[arg(
        id = "feed_addr",
        long = "feed.addr",
        aliases = ["feed-addr", "feed.address", "feed-address"],
        value_name = "ADDR",
        value_parser = |text: &str| port_or_address(text, 9617)
    )]
    pub addr: Option<SocketAddr>,
    /// File with the token that readers show, made with a new one if it is not there [default: what ATHANOR_FEED_SECRET holds, if it is set]
    #[arg(
        id = "feed_token",
        long = "feed.token",
        alias = "feed-token",
        value_name = "FILE"
    )]
    pub token: Option<PathBuf>,
    /// File to append events to, one line of JSON each
    #[arg(
        id = "feed_file",
        long = "feed.file",
        aliases = ["feed-file", "events"],
        value_name = "FILE"
    )]
    pub file: Option<PathBuf>,
}

/// Why events are not told as they should be.
#[derive(Debug, Error)]
pub enum FeedArgsError {
    /// The file of events cannot be written.
    #[error(transparent)]
    File(#[from] FeedError),
    /// The token cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// They cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeFeedError),
}

impl FeedArgs {
    /// The feed of a node of this kind, and what serves it as long as it is kept: a port that is taken, and a token that is
    /// missing, are told before anything else starts. What is told, and who reads it, is counted in `metrics`.
    pub async fn open(
        &self,
        kind: NodeKind,
        metrics: &Metrics,
    ) -> Result<(Feed, Option<FeedServer>), FeedArgsError> {
        let feed = match &self.file {
            Some(path) => Feed::with_file(path)?,
            None => Feed::new(),
        };
        let counts = feed.counts();
        metrics.also(move |registry| counts.register(kind, registry));
        let Some(address) = self.addr else {
            return Ok((feed, None));
        };
        let token = match &self.token {
            Some(path) => Some(token::read_or_make(path)?),
            None => token::in_environment(SECRET)?,
        };
        let server = feed::serve(address, token.as_deref(), &feed).await?;
        let readers = server.readers();
        metrics.also(move |registry| readers.register(registry));
        Ok((feed, Some(server)))
    }
}
