//! The service itself: who may ask, what was signed, and how often.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use athanor_chain::{
    Client, Signer,
    signer::{
        KEY_PATH, KeyAnswer, MAX_BODY, Purpose, SIGN_PATH, SignAnswer, SignRefusal, SignRequest,
    },
};
use athanor_spec::SigningContext;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
};
use serde::Serialize;
use thiserror::Error;
use tokio::{net::TcpListener, task::JoinHandle};

use super::policy::{Policy, Refusal};
use crate::{
    http::{self, JSON, Limits, text},
    token::Token,
};

const LIMITS: Limits = Limits {
    name: "signer",
    connections: 64,
    // A daemon keeps its connections; it makes a new one without ado.
    lifetime: Duration::from_secs(3600),
    stall: Duration::from_secs(60),
    keep_alive: true,
};
/// How often the counts are logged.
const TALLY_EVERY: Duration = Duration::from_secs(3600);

/// Why it does not serve.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The address cannot be listened on.
    #[error("cannot sign at {address}: {source}; give another --listen, or port 0 for a free one")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
}

/// A signer at work, until this is dropped.
pub struct SigningService {
    address: SocketAddr,
    desk: Arc<Desk>,
    tasks: [JoinHandle<()>; 2],
}

/// What every connection shares.
struct Desk {
    signer: Signer,
    policy: Policy,
    chain: Client,
    token: Token,
    /// Signatures by what was signed, and refusals by their reason.
    counts: Mutex<BTreeMap<String, u64>>,
}

impl SigningService {
    /// Listens when this returns.
    pub async fn start(
        address: SocketAddr,
        signer: Signer,
        context: SigningContext,
        chain: Client,
        token: String,
    ) -> Result<Self, ServiceError> {
        let bind = |source| ServiceError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let policy = Policy {
            hotkey: signer.hotkey(),
            context,
        };
        tracing::info!(url = format!("http://{address}"), hotkey = %policy.hotkey, netuid = %context.netuid, "signing");
        let desk = Arc::new(Desk {
            signer,
            policy,
            chain,
            token: Token::of(&token),
            counts: Mutex::default(),
        });
        let (answering, telling) = (desk.clone(), desk.clone());
        let serving = http::accept(listener, LIMITS, move |request| {
            let desk = answering.clone();
            async move { desk.answer(request).await }
        });
        let counting = async move {
            loop {
                tokio::time::sleep(TALLY_EVERY).await;
                telling.tally();
            }
        };
        Ok(Self {
            address,
            desk,
            tasks: [tokio::spawn(serving), tokio::spawn(counting)],
        })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Logs what was signed and refused so far.
    pub fn tally(&self) {
        self.desk.tally();
    }
}

impl Drop for SigningService {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if !self.token.is_shown(request.headers()) {
            self.count("refused: wrong token");
            return refuse(StatusCode::UNAUTHORIZED, "the token is wrong".to_owned());
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET, KEY_PATH) => json(&KeyAnswer {
                hotkey: self.policy.hotkey,
            }),
            (&Method::POST, SIGN_PATH) => {
                let limit = usize::try_from(MAX_BODY).unwrap_or(usize::MAX);
                let body = Limited::new(request.into_body(), limit).collect().await;
                match body {
                    Ok(body) => self.sign(&body.to_bytes()).await,
                    Err(_) => refuse(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "the request is too long, or broke off".to_owned(),
                    ),
                }
            }
            _ => refuse(
                StatusCode::NOT_FOUND,
                format!("there are GET {KEY_PATH} and POST {SIGN_PATH}"),
            ),
        }
    }

    async fn sign(&self, body: &[u8]) -> Response<Full<Bytes>> {
        let decoded = serde_json::from_slice::<SignRequest>(body)
            .ok()
            .and_then(|request| Some((request.purpose, hex::decode(request.bytes).ok()?)));
        let Some((purpose, bytes)) = decoded else {
            let error = "this is no request to sign".to_owned();
            return refuse(StatusCode::BAD_REQUEST, error);
        };
        let judged = match purpose {
            Purpose::Message => self.policy.message(&bytes, now_ms()),
            Purpose::Extrinsic => self.judge(&bytes).await,
        };
        match judged {
            Ok(what) => match self.signer.sign(purpose, &bytes).await {
                Ok(signature) => {
                    self.count(what);
                    tracing::debug!(what, "signed");
                    json(&SignAnswer {
                        signature: hex::encode(signature),
                    })
                }
                Err(error) => refuse(StatusCode::BAD_GATEWAY, error.to_string()),
            },
            Err(refusal) => {
                self.count(&format!("refused: {refusal}"));
                tracing::warn!(%refusal, ?purpose, "not signed");
                refuse(StatusCode::FORBIDDEN, refusal.to_string())
            }
        }
    }

    async fn judge(&self, bytes: &[u8]) -> Result<&'static str, Refusal> {
        // Read anew each time: it is rare, and the runtime may have changed.
        let calls = match self.chain.call_names().await {
            Ok(calls) => calls,
            Err(error) => {
                tracing::warn!(%error, "the chain's calls are not known");
                return Err(Refusal::NotAnExtrinsic);
            }
        };
        let name = |pallet, call| calls.name(pallet, call);
        self.policy
            .extrinsic(bytes, name, |payload| calls.tip(payload))
    }

    fn count(&self, what: &str) {
        let counts = self.counts.lock();
        *counts
            .unwrap_or_else(PoisonError::into_inner)
            .entry(what.to_owned())
            .or_default() += 1;
    }

    fn tally(&self) {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        tracing::info!(counts = ?*counts, "signed so far");
    }
}

fn json(answer: &impl Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_string(answer) {
        Ok(body) => text(StatusCode::OK, JSON, body),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn refuse(status: StatusCode, error: String) -> Response<Full<Bytes>> {
    let body = serde_json::to_string(&SignRefusal { error }).unwrap_or_default();
    text(status, JSON, body)
}

/// The local clock in milliseconds since the Unix epoch.
fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| {
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    })
}
