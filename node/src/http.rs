//! A small HTTP server: bounded connections, bounded time, and one function that answers.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

pub(crate) const PLAIN: &str = "text/plain; charset=utf-8";
pub(crate) const JSON: &str = "application/json";

/// Longest time for the head of a request.
const HEADERS: Duration = Duration::from_secs(10);

/// How much a server takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// What is served, for the log.
    pub(crate) name: &'static str,
    /// Connections at a time; more wait.
    pub(crate) connections: usize,
    /// Longest life of a connection.
    pub(crate) lifetime: Duration,
    /// Whether a connection is for more than one question.
    pub(crate) keep_alive: bool,
}

/// Answers with `answer` whatever connects, until it is dropped.
pub(crate) async fn accept<A, F>(listener: TcpListener, limits: Limits, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(limits.connections));
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        // Waits while all are taken: each ends by its deadline.
        let Ok(permit) = permits.clone().acquire_owned().await else {
            return;
        };
        while tasks.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let answer = answer.clone();
                tasks.spawn(async move {
                    let answering =
                        tokio::time::timeout(limits.lifetime, connection(stream, limits, answer));
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
}

async fn connection<A, F>(stream: TcpStream, limits: Limits, answer: A) -> hyper::Result<()>
where
    A: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    // Answers are small, and somebody waits for each.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .keep_alive(limits.keep_alive)
        .serve_connection(TokioIo::new(stream), service)
        .await
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
