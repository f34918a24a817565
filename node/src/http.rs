//! A small HTTP server: bounded connections, bounded time, and one function that answers.

mod patience;

use std::{convert::Infallible, error::Error, future::Future, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

use patience::Patience;

pub(crate) const PLAIN: &str = "text/plain; charset=utf-8";
pub(crate) const JSON: &str = "application/json";

/// Longest time for the head of a request.
const HEADERS: Duration = Duration::from_secs(10);

/// How much a server takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What is served, for the log.
    pub name: &'static str,
    /// Connections at a time; more wait.
    pub connections: usize,
    /// Longest life of a connection.
    pub lifetime: Duration,
    /// Longest time for which a client may take nothing of what waits for it.
    pub stall: Duration,
    /// Whether a connection is for more than one question.
    pub keep_alive: bool,
}

/// Answers with `answer` whatever connects, until it is dropped.
pub(crate) async fn accept<A, F, B>(listener: TcpListener, limits: Limits, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    accept_until(
        listener,
        limits,
        CancellationToken::new(),
        Duration::ZERO,
        answer,
    )
    .await
}

/// Answers with `answer` whatever connects, until `stop`; then no request is taken any more, and those under way may go on
/// for `drain`. Dropping it ends everything at once.
pub async fn accept_until<A, F, B>(
    listener: TcpListener,
    limits: Limits,
    stop: CancellationToken,
    drain: Duration,
    answer: A,
) where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(limits.connections));
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        // Waits while all places are taken: each connection ends by its deadline.
        let next = async {
            let permit = permits.clone().acquire_owned().await.ok()?;
            Some((permit, listener.accept().await))
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = next => accepted,
        };
        let Some((permit, accepted)) = accepted else {
            return;
        };
        while tasks.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let (answer, stop) = (answer.clone(), stop.clone());
                tasks.spawn(async move {
                    let answering = tokio::time::timeout(
                        limits.lifetime,
                        connection(stream, limits, stop, answer),
                    );
                    if let Ok(Err(error)) = answering.await {
                        tracing::debug!(%error, "a client of the {} left", limits.name);
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // The process may be out of file descriptors for a while.
                tracing::warn!(%error, "cannot accept a client of the {}", limits.name);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    drop(listener);
    let ended = async { while tasks.join_next().await.is_some() {} };
    // What is left is cut off when the set of tasks is dropped.
    let _ = tokio::time::timeout(drain, ended).await;
}

async fn connection<A, F, B>(
    stream: TcpStream,
    limits: Limits,
    stop: CancellationToken,
    answer: A,
) -> hyper::Result<()>
where
    A: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    // Answers are small, and somebody waits for each.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .keep_alive(limits.keep_alive)
        .serve_connection(TokioIo::new(Patience::new(stream, limits.stall)), service);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        ended = serving.as_mut() => return ended,
        () = stop.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    serving.await
}

/// A response with a body.
pub(crate) fn text(
    status: StatusCode,
    content_type: &'static str,
    body: String,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
