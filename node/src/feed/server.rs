//! Serve a feed by HTTP, as server-sent events: `GET /events`. docs/feed.md says what stands on the wire.
//!
//! - *Ownership.* A reader is a position in the feed's ring, and has no queue of its own.
//! - *Backpressure.* What a reader cannot take stays in the ring until there is no room; then the reader hears how much it
//!   missed. One that takes nothing at all for a while is hung up on.
//! - *Overload.* One reader more than there are places for is refused at once.

use std::{convert::Infallible, fmt::Write as _, io, net::SocketAddr, sync::Arc, time::Duration};

use athanor_spec::telemetry::FeedNotice;
use futures::Stream;
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Bytes, Frame, Incoming},
    header::{self, HeaderValue},
};
use prometheus_client::{metrics::counter::Counter, metrics::gauge::Gauge, registry::Registry};
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinHandle,
};

use super::{
    Feed,
    ring::{Position, Ring},
};
use crate::{
    http::{self, Limits, PLAIN, text},
    token::{Token, TokenError},
};

/// Where the events are.
const PATH: &str = "/events";
/// Readers at a time.
const PLACES: usize = 64;
const LIMITS: Limits = Limits {
    name: "feed",
    // Those that are refused need a moment as well.
    connections: PLACES + 16,
    // A reader comes back where it was.
    lifetime: Duration::from_secs(24 * 3600),
    stall: Duration::from_secs(30),
    keep_alive: false,
};
/// After so long without an event something is said, so that both ends know whether the other is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a reader that lost its connection should wait before it comes back.
const COME_BACK: Duration = Duration::from_secs(2);
/// Bytes of events that are handed to the connection at a time.
const CHUNK: usize = 64 << 10;
const EVENT_STREAM: &str = "text/event-stream";

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Why events are not served.
#[derive(Debug, Error)]
pub enum ServeFeedError {
    /// The address cannot be listened on.
    #[error(
        "cannot serve events at {address}: {source}; give another port to the feed, or 0 for a free one"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// Others could read, and need show no token.
    #[error(
        "--feed.addr {address} is open to other machines, so readers must show a token: give --feed.token FILE (made if it is \
         not there), or the port alone for this machine"
    )]
    Open {
        /// The address.
        address: SocketAddr,
    },
    /// The token cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// Events that are being served, until this is dropped.
#[derive(Debug)]
pub struct FeedServer {
    address: SocketAddr,
    readers: Readers,
    task: JoinHandle<()>,
}

/// Who reads, and how well: counted for metrics, cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Readers {
    now: Gauge,
    refused: Counter,
    missed: Counter,
}

impl FeedServer {
    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who reads.
    pub fn readers(&self) -> Readers {
        self.readers.clone()
    }
}

impl Drop for FeedServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Readers {
    /// Adds what is counted to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "feed_readers",
            "Readers of the events that are connected",
            self.now.clone(),
        );
        registry.register(
            "feed_readers_refused",
            "Readers that were refused for lack of a place, or for a wrong token",
            self.refused.clone(),
        );
        registry.register(
            "feed_events_missed",
            "Events that readers were too slow for, summed over readers",
            self.missed.clone(),
        );
    }
}

/// Serves `feed` at `http://ADDRESS/events`; it listens when this returns. Whoever reads has to show the token, if there is
/// one; without one, an address that others reach is refused.
pub async fn serve(
    address: SocketAddr,
    token: Option<&str>,
    feed: &Feed,
) -> Result<FeedServer, ServeFeedError> {
    serve_within(address, token, feed, LIMITS, PLACES).await
}

async fn serve_within(
    address: SocketAddr,
    token: Option<&str>,
    feed: &Feed,
    limits: Limits,
    places: usize,
) -> Result<FeedServer, ServeFeedError> {
    if token.is_none() && !address.ip().is_loopback() {
        return Err(ServeFeedError::Open { address });
    }
    let bind = |source| ServeFeedError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    tracing::info!(url = format!("http://{address}{PATH}"), "serving events");
    let readers = Readers::default();
    let desk = Arc::new(Desk {
        ring: feed.ring.clone(),
        token: token.map(Token::of),
        places: Arc::new(Semaphore::new(places)),
        readers: readers.clone(),
    });
    Ok(FeedServer {
        address,
        readers,
        task: tokio::spawn(http::accept(listener, limits, move |request| {
            let response = desk.answer(&request);
            async move { response }
        })),
    })
}

/// What every connection shares.
struct Desk {
    ring: Arc<Ring>,
    token: Option<Token>,
    places: Arc<Semaphore>,
    readers: Readers,
}

/// Why somebody does not get to read.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    Token,
    Path,
    Method,
    /// What was asked for is no position.
    After,
    Full,
}

impl Desk {
    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let uri = request.uri();
        let query = Query(uri.query().unwrap_or_default());
        match self.admit(request.method(), uri.path(), query, request.headers()) {
            Ok((start, place)) => self.stream(start, query.follows(), place),
            Err(refused) => {
                if matches!(refused, Refused::Token | Refused::Full) {
                    self.readers.refused.inc();
                }
                refused.response()
            }
        }
    }

    fn admit(
        &self,
        method: &Method,
        path: &str,
        query: Query<'_>,
        headers: &HeaderMap,
    ) -> Result<(Start, OwnedSemaphorePermit), Refused> {
        if self.token.is_some_and(|token| !token.is_shown(headers)) {
            return Err(Refused::Token);
        }
        if path != PATH {
            return Err(Refused::Path);
        }
        if method != Method::GET {
            return Err(Refused::Method);
        }
        let start = start(self.ring.run(), query, headers)?;
        let place = self.places.clone().try_acquire_owned();
        Ok((start, place.map_err(|_| Refused::Full)?))
    }

    fn stream(&self, start: Start, follows: bool, place: OwnedSemaphorePermit) -> Response<Body> {
        let newest = self.ring.newest();
        let (at, unknown) = match start {
            Start::Now => (newest, false),
            Start::After(event) => (event.min(newest), false),
            Start::AnotherRun => (0, true),
        };
        self.readers.now.inc();
        let reader = Reader {
            events: self.ring.watch(),
            ring: self.ring.clone(),
            at,
            unknown,
            until: (!follows).then_some(newest),
            greeted: false,
            readers: self.readers.clone(),
            _place: place,
        };
        let mut response = Response::new(StreamBody::new(reader.frames()).boxed_unsync());
        let headers = response.headers_mut();
        let fixed = HeaderValue::from_static;
        headers.insert(header::CONTENT_TYPE, fixed(EVENT_STREAM));
        headers.insert(header::CACHE_CONTROL, fixed("no-store"));
        // Proxies would wait for more.
        headers.insert("x-accel-buffering", fixed("no"));
        response
    }
}

impl Refused {
    fn response(&self) -> Response<Body> {
        let (status, body) = match self {
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "show the token of --feed.token as `Authorization: Bearer TOKEN`\n",
            ),
            Self::Path => (StatusCode::NOT_FOUND, "there is /events\n"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "only GET\n"),
            Self::After => (
                StatusCode::BAD_REQUEST,
                "after= is the id of an event, or its number in this run; 0 is before the first\n",
            ),
            Self::Full => (
                StatusCode::SERVICE_UNAVAILABLE,
                "all places for readers are taken; come back later\n",
            ),
        };
        let mut response =
            text(status, PLAIN, body.to_owned()).map(http_body_util::BodyExt::boxed_unsync);
        let (name, value) = match self {
            Self::Token => (header::WWW_AUTHENTICATE, "Bearer"),
            Self::Method => (header::ALLOW, "GET"),
            Self::Full => (header::RETRY_AFTER, "10"),
            Self::Path | Self::After => return response,
        };
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
        response
    }
}

/// Where a reader begins.
#[derive(Debug, PartialEq, Eq)]
enum Start {
    /// With what comes.
    Now,
    /// After this event.
    After(u64),
    /// With all that there is: it comes from another run, and nobody knows what it missed.
    AnotherRun,
}

/// What follows the question mark.
#[derive(Clone, Copy)]
struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    fn get(self, name: &str) -> Option<&'a str> {
        let mut parameters = self.0.split('&').filter_map(|it| it.split_once('='));
        parameters.find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Whether the reader waits for what comes.
    fn follows(self) -> bool {
        self.get("follow") != Some("no")
    }
}

/// Where a reader wants to begin. What a browser sends when it comes back wins over the address that it was given first.
fn start(run: u64, query: Query<'_>, headers: &HeaderMap) -> Result<Start, Refused> {
    let here = |position: Position| match position.run == run {
        true => Start::After(position.event),
        false => Start::AnotherRun,
    };
    if let Some(last) = headers.get("last-event-id") {
        // An id that this feed never gave is another feed's.
        let position = last.to_str().ok().and_then(|text| text.parse().ok());
        return Ok(position.map_or(Start::AnotherRun, here));
    }
    let Some(after) = query.get("after") else {
        return Ok(Start::Now);
    };
    match (after.parse(), after.parse()) {
        (Ok(number), _) => Ok(Start::After(number)),
        (_, Ok(position)) => Ok(here(position)),
        _ => Err(Refused::After),
    }
}

/// A reader, and what it has.
struct Reader {
    ring: Arc<Ring>,
    events: watch::Receiver<u64>,
    /// The last event that it has.
    at: u64,
    /// Whether it missed nobody knows what before.
    unknown: bool,
    greeted: bool,
    /// The event after which nothing more is told, if the reader does not wait.
    until: Option<u64>,
    readers: Readers,
    _place: OwnedSemaphorePermit,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.readers.now.dec();
    }
}

impl Reader {
    fn frames(self) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send {
        futures::stream::unfold(self, |mut reader| async {
            if reader.greeted && reader.until.is_some_and(|last| reader.at >= last) {
                return None;
            }
            let chunk = reader.next().await;
            Some((Ok(Frame::data(Bytes::from(chunk))), reader))
        })
    }

    /// What is said next; it is asked for when the connection can take it.
    async fn next(&mut self) -> String {
        let mut said = String::new();
        if !std::mem::replace(&mut self.greeted, true) {
            // Writing to a string does not fail, here and below.
            let _ = write!(said, "retry: {}\n\n", COME_BACK.as_millis());
            if std::mem::take(&mut self.unknown) {
                self.notice(&mut said, FeedNotice::Lagged { missed: None });
            }
            self.tell(&mut said);
            return said;
        }
        loop {
            self.events.mark_unchanged();
            self.tell(&mut said);
            if !said.is_empty() {
                return said;
            }
            match tokio::time::timeout(KEEP_ALIVE, self.events.changed()).await {
                Ok(Ok(())) => {}
                // The ring has the sender, and this has the ring.
                Ok(Err(_)) | Err(_) => return ": nothing new\n\n".to_owned(),
            }
        }
    }

    /// Tells what follows.
    fn tell(&mut self, said: &mut String) {
        let next = self.ring.after(self.at, CHUNK);
        if next.missed > 0 {
            self.at += next.missed;
            self.readers.missed.inc_by(next.missed);
            let missed = Some(next.missed);
            self.notice(said, FeedNotice::Lagged { missed });
        }
        for (event, line) in (next.first..).zip(next.lines) {
            self.at = event;
            self.write(said, line.name, &line.json);
        }
    }

    fn notice(&self, said: &mut String, notice: FeedNotice) {
        match serde_json::to_string(&notice) {
            Ok(json) => self.write(said, notice.name(), &json),
            Err(error) => tracing::error!(%error, "a notice is not told"),
        }
    }

    fn write(&self, said: &mut String, name: &str, json: &str) {
        let id = Position {
            run: self.ring.run(),
            event: self.at,
        };
        let _ = write!(said, "id: {id}\nevent: {name}\ndata: {json}\n\n");
    }
}

#[cfg(test)]
mod tests;
