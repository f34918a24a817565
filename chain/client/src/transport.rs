//! One connection to any of several nodes: subxt's reconnecting client, and another node when reconnecting fails.
//!
//! A [`Failover`] owns one connection at a time. While it is lost, the reconnecting client tries the same node: for ever
//! if there is no other, else a few times, after which the next node takes over. Nodes that serve another chain are
//! passed over. Calls and subscriptions of a lost connection end with `DisconnectedWillReconnect`, which callers repeat.

use std::{
    iter,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use athanor_spec::Digest;
use futures::{FutureExt as _, StreamExt as _};
use subxt::rpcs::{
    self, RpcClient,
    client::{
        RawRpcFuture, RawRpcSubscription, RawValue, RpcClientT,
        reconnecting_rpc_client::{self, ExponentialBackoff, RpcClient as ReconnectingClient},
        rpc_params,
    },
};
use tokio::sync::RwLock;

use crate::{Endpoint, Endpoints};

/// Longest wait for the WebSocket handshake.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);
/// First pause between attempts to reconnect; each is [`BACKOFF_FACTOR`] times the one before, up to [`MAX_BACKOFF`].
const FIRST_BACKOFF_MS: u64 = 2;
const BACKOFF_FACTOR: u64 = 50;
/// A chain's block takes 12 s: reconnecting faster than this gains nothing, slower loses blocks.
const MAX_BACKOFF: Duration = Duration::from_secs(3);
/// Attempts at the same node before another one takes over: a node that merely restarted its socket keeps its clients.
const ATTEMPTS: usize = 2;

type Notifications = futures::stream::BoxStream<'static, Result<Box<RawValue>, rpcs::Error>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a node cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    #[error(transparent)]
    Handshake(BoxError),
    #[error("no answer within {} s", HANDSHAKE.as_secs())]
    Silent,
    #[error("it serves another chain (genesis {found}, not {expected})")]
    OtherChain { expected: Digest, found: Digest },
    #[error(transparent)]
    Call(rpcs::Error),
}

/// How a client's connection fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The node in use, or the one that is tried.
    pub endpoint: Endpoint,
    /// Whether the latest that came of it was an answer: not the end of the connection, nor silence.
    pub is_up: bool,
    /// How often a connection was made anew after one was lost, at the same node or at another.
    pub reconnects: u64,
}

/// The connection that everything goes over.
pub(crate) struct Failover {
    endpoints: Endpoints,
    /// The chain that was connected to first; every other node must serve the same.
    genesis: Digest,
    session: RwLock<Session>,
    /// Index of the endpoint in use, for whoever asks without waiting for the session.
    current: AtomicUsize,
    /// Whether the connection was lost, and nothing was heard since.
    lost: AtomicBool,
    /// Whether a question was left without an answer, and nothing was heard since.
    silent: AtomicBool,
    reconnects: AtomicU64,
}

#[derive(Clone)]
struct Session {
    /// Counts the connections, so that of many callers that lost one, one replaces it.
    number: u64,
    client: ReconnectingClient,
}

impl Failover {
    /// Connects to the first node that answers; if none does, gives the reason of each.
    pub(crate) async fn connect(endpoints: Endpoints) -> Result<Self, Vec<(Endpoint, NodeError)>> {
        let list = endpoints.list();
        let mut failures = Vec::new();
        for (index, endpoint) in list.iter().enumerate() {
            match open(endpoint, list.len() > 1, None).await {
                Ok((client, genesis)) => {
                    return Ok(Self {
                        endpoints,
                        genesis,
                        session: RwLock::new(Session { number: 0, client }),
                        current: AtomicUsize::new(index),
                        lost: AtomicBool::new(false),
                        silent: AtomicBool::new(false),
                        reconnects: AtomicU64::new(0),
                    });
                }
                Err(error) => failures.push((endpoint.clone(), error)),
            }
        }
        Err(failures)
    }

    pub(crate) fn genesis(&self) -> Digest {
        self.genesis
    }

    /// Moves on to another node, if there is one: this one answers, but its chain stands still.
    pub(crate) async fn leave(&self) {
        if self.endpoints.list().len() > 1 {
            let session = self.session().await;
            self.replace(session.number).await;
        }
    }

    /// The node in use.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoints.list()[self.current.load(Ordering::Relaxed)]
    }

    pub(crate) fn status(&self) -> Connection {
        Connection {
            endpoint: self.endpoint().clone(),
            is_up: !self.lost.load(Ordering::Relaxed) && !self.silent.load(Ordering::Relaxed),
            reconnects: self.reconnects.load(Ordering::Relaxed),
        }
    }

    /// No answer came in time.
    pub(crate) fn unheard(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    /// Whether the connection is being made anew.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// The node answered.
    fn heard(&self) {
        self.silent.store(false, Ordering::Relaxed);
        if self.lost.swap(false, Ordering::Relaxed) {
            self.reconnects.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes whether this error says that the connection ended; many calls hear of one end.
    fn note(&self, error: &rpcs::Error) {
        if error.is_disconnected_will_reconnect() {
            self.lost.store(true, Ordering::Relaxed);
        }
    }

    async fn session(&self) -> Session {
        self.session.read().await.clone()
    }

    /// Replaces the connection `lost`, unless another caller did so already. Waits for as long as no node answers.
    async fn replace(&self, lost: u64) {
        let mut session = self.session.write().await;
        if session.number != lost {
            return;
        }
        let list = self.endpoints.list();
        let mut pauses = backoff();
        loop {
            for _ in 0..list.len() {
                // Stored before the attempt: a caller that gives up in between does not start over at the same node.
                let index = (self.current.load(Ordering::Relaxed) + 1) % list.len();
                self.current.store(index, Ordering::Relaxed);
                let endpoint = &list[index];
                match open(endpoint, true, Some(self.genesis)).await {
                    Ok((client, _)) => {
                        tracing::info!(%endpoint, "connected to another node");
                        session.client = client;
                        session.number += 1;
                        return;
                    }
                    Err(error) => tracing::warn!(%endpoint, %error, "cannot connect"),
                }
            }
            tokio::time::sleep(pauses.next().unwrap_or(MAX_BACKOFF)).await;
        }
    }

    /// Turns the end of a connection into what callers repeat, after a new one was made.
    async fn after(&self, session: u64, error: rpcs::Error) -> rpcs::Error {
        if let rpcs::Error::User(_) = &error {
            self.heard();
        }
        let gave_up = gave_up(&error);
        let error = match gave_up {
            true => rpcs::Error::DisconnectedWillReconnect(error.to_string()),
            false => error,
        };
        self.note(&error);
        if gave_up {
            self.replace(session).await;
        }
        error
    }
}

/// A handle that subxt takes.
#[derive(Clone)]
pub(crate) struct Shared(pub(crate) Arc<Failover>);

impl RpcClientT for Shared {
    fn request_raw<'a>(
        &'a self,
        method: &'a str,
        params: Option<Box<RawValue>>,
    ) -> RawRpcFuture<'a, Box<RawValue>> {
        async move {
            let session = self.0.session().await;
            match session.client.request_raw(method, params).await {
                Err(error) => Err(self.0.after(session.number, error).await),
                Ok(answer) => {
                    self.0.heard();
                    Ok(answer)
                }
            }
        }
        .boxed()
    }

    fn subscribe_raw<'a>(
        &'a self,
        method: &'a str,
        params: Option<Box<RawValue>>,
        unsubscribe: &'a str,
    ) -> RawRpcFuture<'a, RawRpcSubscription> {
        async move {
            let session = self.0.session().await;
            let client = &session.client;
            match client.subscribe_raw(method, params, unsubscribe).await {
                Err(error) => Err(self.0.after(session.number, error).await),
                Ok(subscription) => {
                    self.0.heard();
                    Ok(RawRpcSubscription {
                        stream: self.watched(subscription.stream),
                        id: subscription.id,
                    })
                }
            }
        }
        .boxed()
    }
}

impl Shared {
    /// A subscription of a connection that was given up just ends; its reader shall know that it lives on.
    fn watched(&self, stream: Notifications) -> Notifications {
        let end = rpcs::Error::DisconnectedWillReconnect("the connection ended".into());
        let failover = self.0.clone();
        stream
            .chain(futures::stream::iter(iter::once(Err(end))))
            .inspect(move |item| {
                if let Err(error) = item {
                    failover.note(error);
                }
            })
            .boxed()
    }
}

/// Whether the reconnecting client has ended: its queue of calls is closed.
fn gave_up(error: &rpcs::Error) -> bool {
    match error {
        rpcs::Error::Client(cause) => matches!(
            cause.downcast_ref::<reconnecting_rpc_client::Error>(),
            Some(reconnecting_rpc_client::Error::Dropped)
        ),
        _ => false,
    }
}

fn backoff() -> impl Iterator<Item = Duration> + Clone + Send + Sync + 'static {
    ExponentialBackoff::from_millis(FIRST_BACKOFF_MS)
        .factor(BACKOFF_FACTOR)
        .max_delay(MAX_BACKOFF)
}

/// Connects to one node and asks which chain it serves.
async fn open(
    endpoint: &Endpoint,
    others: bool,
    expected: Option<Digest>,
) -> Result<(ReconnectingClient, Digest), NodeError> {
    let work = async {
        let handshake = |error| NodeError::Handshake(Box::new(error));
        // The reconnecting client would try for ever, and never say why: this first attempt gives the reason.
        ReconnectingClient::builder()
            .retry_policy(iter::empty())
            .connection_timeout(HANDSHAKE)
            .build(endpoint.url())
            .await
            .map_err(handshake)?;
        let attempts = if others { ATTEMPTS } else { usize::MAX };
        let client = ReconnectingClient::builder()
            .retry_policy(backoff().take(attempts))
            .connection_timeout(HANDSHAKE)
            .build(endpoint.url())
            .await
            .map_err(handshake)?;
        let genesis: Option<Digest> = RpcClient::new(client.clone())
            .request::<Option<subxt::config::substrate::H256>>("chain_getBlockHash", rpc_params![0])
            .await
            .map_err(NodeError::Call)?
            .map(|hash| Digest(hash.0));
        Ok((client, genesis.unwrap_or_default()))
    };
    let (client, found) = tokio::time::timeout(2 * HANDSHAKE, work)
        .await
        .unwrap_or(Err(NodeError::Silent))?;
    match expected {
        Some(expected) if expected != found => Err(NodeError::OtherChain { expected, found }),
        _ => Ok((client, found)),
    }
}
