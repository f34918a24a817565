//! A daemon's events over HTTP, as server-sent events (docs/feed.md): read on a thread that comes back by itself.
//!
//! Each feed has one thread, which waits for the queue of updates while that is full, and ends once nobody takes them any
//! more: at the latest when the daemon says that it is still there.

use std::{
    fmt,
    io::{self, Read},
    str::FromStr,
    sync::Arc,
    thread,
    time::Duration,
};

use athanor_spec::telemetry::{Event, FeedNotice};
use thiserror::Error;
use tokio::sync::mpsc;
use ureq::{Agent, http::Uri};

use crate::state::{Link, Update};

/// Where a feed's events are, unless the address says otherwise.
const PATH: &str = "/events";
/// Longest wait for a connection, and for the head of an answer.
const CONNECT: Duration = Duration::from_secs(10);
/// A feed says something every fifteen seconds: whoever is silent for so long is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// Waits before a feed is tried again, the last one for ever after.
const BACKOFF: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// Longest line that is read: an event takes some kilobytes at most.
const MAX_LINE: usize = 1 << 20;
/// Bytes read at a time.
const CHUNK: usize = 16 << 10;
/// What is read of an answer that is no feed.
const MAX_REFUSAL: u64 = 300;

/// Where a daemon's feed is, and what it wants to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Feed {
    url: String,
    token: Option<Arc<str>>,
}

/// An address is none.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{text}` is no address of a feed such as http://127.0.0.1:9617")]
pub struct ParseFeedError {
    /// What was given.
    pub text: String,
}

/// A feed cannot be read.
#[derive(Debug, Error)]
pub enum FeedError {
    /// Nobody answers, or the connection broke.
    #[error("{url}: {source}")]
    Connection {
        /// The feed.
        url: String,
        /// The cause.
        source: Box<ureq::Error>,
    },
    /// The stream broke off.
    #[error("{url}: {source}")]
    Read {
        /// The feed.
        url: String,
        /// The cause.
        source: io::Error,
    },
    /// Whoever answers does not want to be read by us, or is no feed.
    #[error("{url} answers {status}: {text}")]
    Refused {
        /// The feed.
        url: String,
        /// Status of HTTP.
        status: u16,
        /// What it says, in one line.
        text: String,
    },
    /// What comes is no stream of events.
    #[error("{url} sends no events but a line of more than {MAX_LINE} bytes")]
    NoFeed {
        /// The feed.
        url: String,
    },
    /// The daemon ended the stream.
    #[error("{url} has ended")]
    Ended {
        /// The feed.
        url: String,
    },
}

impl FromStr for Feed {
    type Err = ParseFeedError;

    /// `http://HOST:PORT`, with another path than `/events` if one is given.
    fn from_str(text: &str) -> Result<Self, ParseFeedError> {
        let wrong = || ParseFeedError {
            text: text.to_owned(),
        };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        if !known || uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
            return Err(wrong());
        }
        let bare = uri.path() == "/";
        let url = match bare {
            true => text.trim_end_matches('/').to_owned() + PATH,
            false => text.to_owned(),
        };
        Ok(Self { url, token: None })
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Feed {
    /// The address of its events.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same feed, which is shown this token.
    pub fn with_token(self, token: Option<Arc<str>>) -> Self {
        Self { token, ..self }
    }

    fn agent(&self) -> Agent {
        let uri: Option<Uri> = self.url.parse().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
        let here = host == "localhost" || host.starts_with("127.") || host == "[::1]";
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(CONNECT))
            .timeout_per_read(Some(SILENCE))
            .http_status_as_error(false)
            // A token is for whom it was given for.
            .max_redirects(0);
        match here {
            // No proxy leads to this machine.
            true => config.proxy(None).build(),
            false => config.build(),
        }
        .new_agent()
    }

    /// Asks for what comes after event `last`, or for all that is kept.
    fn open(
        &self,
        agent: &Agent,
        last: Option<&str>,
        follow: bool,
    ) -> Result<impl Read + use<>, FeedError> {
        let follow = if follow { "" } else { "&follow=no" };
        let mut request = agent
            .get(format!("{}?after=0{follow}", self.url))
            .header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response = request.call().map_err(|source| FeedError::Connection {
            url: self.url.clone(),
            source: Box::new(source),
        })?;
        let kind = response.headers().get("content-type");
        let events = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let status = response.status().as_u16();
        if status == 200 && events {
            return Ok(response.into_body().into_reader());
        }
        let body = response.body_mut().with_config().limit(MAX_REFUSAL);
        let text = body.read_to_string().unwrap_or_default();
        let text: Vec<&str> = text.split_whitespace().collect();
        Err(FeedError::Refused {
            url: self.url.clone(),
            status,
            text: match status {
                200 => "what is there is no feed of events".to_owned(),
                _ => text.join(" "),
            },
        })
    }

    /// Hands on what is said after event `last`, until the stream breaks or nobody wants it any more.
    fn hear(
        &self,
        agent: &Agent,
        (last, follow): (&mut Option<String>, bool),
        mut take: impl FnMut(Heard) -> bool,
    ) -> Result<(), FeedError> {
        let mut stream = self.open(agent, last.as_deref(), follow)?;
        let (mut lines, mut chunk) = (Lines::default(), vec![0; CHUNK]);
        loop {
            let read = match stream.read(&mut chunk) {
                Ok(0) => {
                    return Err(FeedError::Ended {
                        url: self.url.clone(),
                    });
                }
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    return Err(FeedError::Read {
                        url: self.url.clone(),
                        source,
                    });
                }
            };
            let said = lines
                .push(&chunk[..read])
                .map_err(|TooLong| FeedError::NoFeed {
                    url: self.url.clone(),
                })?;
            if !take(Heard::Alive) {
                return Ok(());
            }
            for said in said {
                if !said.id.is_empty() {
                    *last = Some(said.id.clone());
                }
                if !take(Heard::Said(said)) {
                    return Ok(());
                }
            }
        }
    }
}

/// Something came.
enum Heard {
    /// The daemon is there.
    Alive,
    Said(Said),
}

/// Reads a feed until the receiver is gone; after a failure it says so, waits and comes back where it was.
pub(super) fn watch(feed: Feed, updates: mpsc::Sender<Update>) -> io::Result<()> {
    let name = "feed".to_owned();
    thread::Builder::new().name(name).spawn(move || {
        let agent = feed.agent();
        let (mut last, mut failures) = (None, 0);
        let link = |link| Update::Feed {
            url: feed.url.clone(),
            link,
        };
        while updates.blocking_send(link(Link::Connecting)).is_ok() {
            let mut live = false;
            let heard = feed.hear(&agent, (&mut last, true), |heard| {
                failures = 0;
                if !std::mem::replace(&mut live, true)
                    && updates.blocking_send(link(Link::Live)).is_err()
                {
                    return false;
                }
                match heard {
                    Heard::Alive => !updates.is_closed(),
                    Heard::Said(said) => updates.blocking_send(said.update()).is_ok(),
                }
            });
            let Err(error) = heard else { return };
            let reason = error.to_string();
            if updates.blocking_send(link(Link::Lost { reason })).is_err() {
                return;
            }
            thread::sleep(BACKOFF[failures.min(BACKOFF.len() - 1)]);
            failures += 1;
        }
    })?;
    Ok(())
}

/// The events that a feed keeps now.
pub async fn read_feed(feed: Feed) -> Result<Vec<Event>, FeedError> {
    let work = move || {
        let (mut last, mut events) = (None, Vec::new());
        let heard = feed.hear(&feed.agent(), (&mut last, false), |heard| {
            if let Heard::Said(said) = heard
                && let Update::Event(event) = said.update()
            {
                events.push(event);
            }
            true
        });
        match heard {
            Ok(()) | Err(FeedError::Ended { .. }) => Ok(events),
            Err(error) => Err(error),
        }
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(read) => read,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// One thing that a feed says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What to name when coming back; empty if it stays what it was.
    pub id: String,
    /// Which event it is.
    pub name: String,
    /// The event.
    pub data: String,
}

impl Said {
    /// What it means for whoever watches, whatever it is.
    pub fn update(&self) -> Update {
        if let Ok(event) = serde_json::from_str(&self.data) {
            return Update::Event(event);
        }
        let reason = match serde_json::from_str(&self.data) {
            Ok(FeedNotice::Lagged {
                missed: Some(missed),
            }) => {
                format!("{missed} events of a feed came too fast and are not shown")
            }
            Ok(FeedNotice::Lagged { missed: None }) => {
                "a daemon was started anew: what it did before the first event shown is not known"
                    .to_owned()
            }
            Err(_) => {
                let name: String = self
                    .name
                    .chars()
                    .take(40)
                    .filter(|c| !c.is_control())
                    .collect();
                format!("a feed tells of `{name}`, which this program does not know: is it older?")
            }
        };
        Update::EventsTrouble { reason }
    }
}

/// A line is longer than any of a feed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a line of more than {MAX_LINE} bytes")]
pub struct TooLong;

/// Takes a stream of events apart, however it is cut.
#[derive(Debug, Default)]
pub struct Lines {
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    next: Said,
}

impl Lines {
    /// The bytes that follow; what is complete with them.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Said>, TooLong> {
        let mut found = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.partial.len() + piece.len() > MAX_LINE {
                return Err(TooLong);
            }
            self.partial.extend_from_slice(piece);
            if !piece.ends_with(b"\n") {
                break;
            }
            let line = std::mem::take(&mut self.partial);
            let line = String::from_utf8_lossy(&line);
            self.line(line.trim_end_matches(['\n', '\r']), &mut found)?;
        }
        Ok(found)
    }

    fn line(&mut self, line: &str, found: &mut Vec<Said>) -> Result<(), TooLong> {
        if line.is_empty() {
            let said = std::mem::take(&mut self.next);
            // Fields without data are no event.
            found.extend((!said.data.is_empty()).then_some(said));
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.next.id = value.to_owned(),
            "event" => self.next.name = value.to_owned(),
            "data" => {
                if self.next.data.len() + value.len() > MAX_LINE {
                    return Err(TooLong);
                }
                if !self.next.data.is_empty() {
                    self.next.data.push('\n');
                }
                self.next.data.push_str(value);
            }
            // A comment, or what we do not need.
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
