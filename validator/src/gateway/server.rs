//! The gateway's HTTP: which request is which, whose it is, and how large it may be.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use athanor_model::{Checkpoint, StopTokens};
use athanor_node::{Metrics, http};
use http_body_util::{
    BodyExt as _, Full, LengthLimitError, Limited, StreamBody, combinators::UnsyncBoxBody,
};
use hyper::{
    HeaderMap, Method, StatusCode,
    body::{Body as _, Bytes, Frame, Incoming},
    header::{self, HeaderValue},
};
use rand::Rng as _;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore, sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    answer::{self, Asked},
    api::{ApiError, Surface},
    door::Door,
    draw::{Asking, Drawn, Organic},
    fleet::{Candidate, Fleet, Target},
    likelihoods::Likelihoods,
    metrics::GatewayMetrics,
    prepare::Press,
    receipts::{self, Receipts},
};

/// The body of a response.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;
type Request = hyper::Request<Incoming>;
type Response = hyper::Response<Body>;

/// Connections at a time, and how long one may last: clients keep them, and come back on another.
const LIMITS: http::Limits = http::Limits {
    name: "gateway",
    connections: 1024,
    lifetime: Duration::from_secs(3600),
    stall: Duration::from_secs(60),
    keep_alive: true,
};
/// How long a body may take to arrive.
const READ_BODY: Duration = Duration::from_secs(30);
/// How long requests in progress may take after the end was asked for.
const DRAIN: Duration = Duration::from_secs(10);
/// What separates the subnet's name from what is wanted of it, in the name of a model.
const SEPARATOR: char = ':';
const BEST: &str = "best";

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) asking: Arc<Asking>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) metrics: GatewayMetrics,
    pub(crate) press: Press,
    pub(crate) ends: StopTokens,
    pub(crate) teacher: Arc<Checkpoint>,
    pub(crate) likelihoods: Likelihoods,
    pub(crate) receipts: Receipts,
    pub(crate) door: Arc<Door>,
    pub(crate) permits: Arc<Semaphore>,
    /// Where answers go that join the audit.
    pub(crate) organic: mpsc::Sender<Organic>,
    /// The subnet's name, which is that of its model.
    pub(crate) name: String,
    /// When the gateway started, in seconds since the Unix epoch.
    pub(crate) started: u64,
    pub(crate) cors: Option<HeaderValue>,
    /// The largest body that is read, in bytes.
    pub(crate) max_body: usize,
}

/// A gateway that serves, until this is dropped.
pub struct Gateway {
    address: SocketAddr,
    fleet: Arc<Fleet>,
    metrics: GatewayMetrics,
    health: Metrics,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Gateway {
    /// Serves on a listener.
    pub(super) fn serve(
        listener: TcpListener,
        address: SocketAddr,
        shared: Shared,
        health: Metrics,
    ) -> Self {
        let stop = CancellationToken::new();
        let (fleet, metrics) = (shared.fleet.clone(), shared.metrics.clone());
        let shared = Arc::new(shared);
        health.part("gateway", Some("gateway_no_miner"));
        let serving = http::accept_until(
            listener,
            LIMITS,
            stop.clone(),
            DRAIN,
            move |request: Request| respond(shared.clone(), request),
        );
        Self {
            address,
            fleet,
            metrics,
            health,
            stop,
            task: tokio::spawn(serving),
        }
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A round has begun with these miners.
    pub(crate) fn announce(&self, candidates: Vec<Candidate>) {
        let trouble = candidates.is_empty().then_some("gateway_no_miner");
        self.health.part("gateway", trouble);
        self.metrics.miners(candidates.len());
        self.fleet.announce(candidates);
    }

    /// Takes nothing new, and lets what is in progress end.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        // A panic of the server was logged where it happened; there is nothing left to end.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One of the endpoints.
#[derive(Clone, Copy)]
enum Endpoint {
    Models,
    Answer(Surface),
    Receipt,
}

impl Endpoint {
    /// The endpoint of a path, with what follows it, and the method that it takes.
    fn of(path: &str) -> Option<(Self, &str, Method)> {
        let path = path.strip_prefix("/v1/")?;
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        match (first, rest) {
            ("models", rest) => Some((Self::Models, rest, Method::GET)),
            ("receipts", rest) if !rest.is_empty() => Some((Self::Receipt, rest, Method::GET)),
            ("completions", "") => Some((Self::Answer(Surface::Completions), "", Method::POST)),
            ("chat", "completions") => Some((Self::Answer(Surface::Chat), "", Method::POST)),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Models => "models",
            Self::Answer(Surface::Chat) => "chat",
            Self::Answer(Surface::Completions) => "completions",
            Self::Receipt => "receipts",
        }
    }
}

async fn respond(shared: Arc<Shared>, request: Request) -> Response {
    let name = Endpoint::of(request.uri().path()).map_or("other", |(endpoint, ..)| endpoint.name());
    let (cors, metrics) = (shared.cors.clone(), shared.metrics.clone());
    let mut response = match (&cors, request.method()) {
        (Some(_), &Method::OPTIONS) => preflight(),
        _ => match handle(shared, request).await {
            Ok(response) => response,
            Err(error) => failed(&error),
        },
    };
    metrics.request(name, response.status().as_u16());
    let headers = response.headers_mut();
    let number: u128 = rand::rng().random();
    if let Ok(id) = HeaderValue::from_str(&format!("req_{number:032x}")) {
        headers.insert("x-request-id", id);
    }
    if let Some(origin) = cors {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let shown = "x-request-id, x-athanor-receipt, retry-after";
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(shown),
        );
    }
    response
}

async fn handle(shared: Arc<Shared>, request: Request) -> Result<Response, ApiError> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    // What there is stands in the documentation; who has a key stands nowhere.
    let key = shared.door.key(request.headers())?;
    let Some((endpoint, rest, allowed)) = Endpoint::of(&path) else {
        return Err(ApiError::UnknownUrl {
            method: method.to_string(),
            path,
        });
    };
    if method != allowed {
        return Err(ApiError::WrongMethod {
            allowed: if allowed == Method::GET {
                "GET"
            } else {
                "POST"
            },
            path,
        });
    }
    match endpoint {
        Endpoint::Models => {
            let object = shared.models(rest)?;
            Ok(json_response(StatusCode::OK, &object))
        }
        Endpoint::Receipt => {
            let (id, shared) = (rest.to_owned(), shared.clone());
            let find = move || shared.receipts.find(&id, &key.id).map(|found| (id, found));
            let internal = |what: String| ApiError::Internal { what };
            let found = tokio::task::spawn_blocking(find).await;
            let found = found.map_err(|error| internal(error.to_string()))?;
            match found.map_err(|error| internal(error.to_string()))? {
                (_, Some(body)) => Ok(text_response(StatusCode::OK, body)),
                (id, None) => Err(ApiError::NoReceipt { id }),
            }
        }
        Endpoint::Answer(surface) => {
            let audit = consent(request.headers())?;
            let body = body(request, shared.max_body).await?;
            let asked = Asked {
                surface,
                key,
                body,
                audit,
            };
            answer::answer(shared, asked).await
        }
    }
}

/// What the header `X-Athanor-Audit` says: whether the answer may be used as evidence in audits.
fn consent(headers: &HeaderMap) -> Result<Option<bool>, ApiError> {
    let Some(said) = headers.get("x-athanor-audit") else {
        return Ok(None);
    };
    match said.as_bytes().to_ascii_lowercase().as_slice() {
        b"yes" | b"true" | b"1" => Ok(Some(true)),
        b"no" | b"false" | b"0" => Ok(Some(false)),
        _ => Err(ApiError::Invalid {
            param: "X-Athanor-Audit".to_owned(),
            expected: "expected yes or no".to_owned(),
        }),
    }
}

/// The whole body, at most `limit` bytes; of one that says that it is larger, nothing is read.
async fn body(request: Request, limit: usize) -> Result<Bytes, ApiError> {
    let too_large = ApiError::BodyTooLarge { limit };
    if request.body().size_hint().lower() > limit as u64 {
        return Err(too_large);
    }
    let whole = Limited::new(request.into_body(), limit).collect();
    match tokio::time::timeout(READ_BODY, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large),
        Ok(Err(_)) | Err(_) => Err(ApiError::BodyCut),
    }
}

/// What a browser asks before it asks.
fn preflight() -> Response {
    let mut response = hyper::Response::new(empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let allow = |text| HeaderValue::from_static(text);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow("GET, POST"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        allow("*, authorization"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, allow("600"));
    response
}

fn failed(error: &ApiError) -> Response {
    let mut response = json_response(error.status(), &error.body());
    let headers = response.headers_mut();
    if let Some(wait) = error.retry_after() {
        headers.insert(header::RETRY_AFTER, answer::seconds(wait).into());
    }
    if error.status() == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if matches!(error, ApiError::BodyTooLarge { .. } | ApiError::BodyCut) {
        // What is left of the body is not read, so that nothing can follow it.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn empty() -> Body {
    Full::new(Bytes::new()).boxed_unsync()
}

fn text_response(status: StatusCode, text: String) -> Response {
    let mut response = hyper::Response::new(Full::new(Bytes::from(text)).boxed_unsync());
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

pub(crate) fn json_response(status: StatusCode, value: &Value) -> Response {
    text_response(status, value.to_string())
}

/// A body that is sent as it comes.
pub(crate) fn stream_body(mut chunks: mpsc::Receiver<Bytes>) -> Body {
    let frames = futures::stream::poll_fn(move |context| {
        let next = chunks.poll_recv(context);
        next.map(|chunk| chunk.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes))))
    });
    StreamBody::new(frames).boxed_unsync()
}

impl Shared {
    /// Which miners a model's name stands for.
    pub(crate) fn target(&self, model: &str) -> Result<Target, ApiError> {
        let unknown = || ApiError::UnknownModel {
            model: model.chars().take(128).collect(),
        };
        let rest = model.strip_prefix(&self.name).ok_or_else(unknown)?;
        let target = match rest.strip_prefix(SEPARATOR) {
            None if rest.is_empty() => Target::Any,
            None => return Err(unknown()),
            Some(BEST) => Target::Best,
            Some(hotkey) => Target::Miner(hotkey.parse().map_err(|_| unknown())?),
        };
        match self.fleet.knows(target) {
            true => Ok(target),
            false => Err(unknown()),
        }
    }

    /// All models, or the one with this name.
    fn models(&self, name: &str) -> Result<Value, ApiError> {
        let model = |id: String, own: Value| {
            json!({
                "id": id,
                "object": "model",
                "created": self.started,
                "owned_by": "athanor",
                "athanor": own,
            })
        };
        let subnet = &self.name;
        let mut all = vec![
            model(
                subnet.clone(),
                json!({"routed": "by quality, latency and incentive"}),
            ),
            model(
                format!("{subnet}{SEPARATOR}{BEST}"),
                json!({"routed": "to the miner with the largest incentive"}),
            ),
        ];
        for candidate in self.fleet.candidates() {
            let miner = &candidate.miner;
            let own = json!({
                "uid": miner.uid,
                "checkpoint": miner.checkpoint.to_string(),
                "quality": candidate.quality,
                "incentive": candidate.incentive,
            });
            all.push(model(
                format!("{subnet}{SEPARATOR}{}", miner.account.hotkey),
                own,
            ));
        }
        if name.is_empty() {
            return Ok(json!({"object": "list", "data": all}));
        }
        // A client may escape the separator.
        let wanted = name.replace("%3A", ":").replace("%3a", ":");
        let found = all.into_iter().find(|model| model["id"] == *wanted);
        found.ok_or(ApiError::UnknownModel { model: wanted })
    }

    /// How a token is written where log-probabilities are told.
    pub(crate) fn spelling(&self, token: u32, by_id: bool) -> String {
        if by_id {
            return format!("token_id:{token}");
        }
        let tokenizer = &self.press.tokenizer;
        match tokenizer.is_special(token) {
            true => tokenizer.spelling(token).unwrap_or_default(),
            false => tokenizer.decode(&[token]).unwrap_or_default(),
        }
    }

    /// What is told of an answer, beside the answer.
    pub(crate) fn told_of(&self, drawn: &Drawn) -> Value {
        let (receipt, miner) = (&drawn.receipt, &drawn.candidate.miner);
        let context = self.asking.signer.context();
        json!({
            "id": receipts::id(receipt),
            "genesis": context.genesis.to_string(),
            "netuid": context.netuid,
            "validator": receipt.ask.signer,
            "miner": receipt.answer.signer,
            "uid": miner.uid,
            "checkpoint": receipt.answer.payload.checkpoint.to_string(),
            "receipt": hex::encode(receipt.to_bytes()),
        })
    }

    /// Hands an answer to the audit. One more than the audit can keep up with is left out: it is evidence, and no duty.
    pub(crate) fn join_audit(&self, drawn: &Drawn) {
        let organic = Organic {
            account: drawn.candidate.miner.account,
            receipt: drawn.receipt.clone(),
            times: drawn.times,
        };
        if self.organic.try_send(organic).is_ok() {
            self.metrics.evidence();
        }
    }
}
