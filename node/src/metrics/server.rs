//! Serve metrics and health by HTTP, to whoever may connect.
//!
//! One connection is one question: a scraper asks every few seconds. Slow and surplus clients are cut off.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
};

use super::Metrics;

/// Connections at a time.
const CONNECTIONS: usize = 16;
/// Longest time that a connection lives.
const DEADLINE: Duration = Duration::from_secs(10);
/// The text format of OpenMetrics, which Prometheus reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Why metrics are not served.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// The address cannot be listened on.
    #[error(
        "cannot serve metrics at {address}: {source}; give another --metrics.addr, or port 0 for a free one"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
}

/// Metrics that are being served, until this is dropped.
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl MetricsServer {
    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves `metrics` at `http://ADDRESS/metrics`, and its health beside it; it listens when this returns.
pub async fn serve(address: SocketAddr, metrics: Metrics) -> Result<MetricsServer, MetricsError> {
    let bind = |source| MetricsError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    tracing::info!(url = format!("http://{address}/metrics"), "serving metrics");
    Ok(MetricsServer {
        address,
        task: tokio::spawn(accept(listener, metrics)),
    })
}

async fn accept(listener: TcpListener, metrics: Metrics) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // Waits while all are taken: each ends by its deadline.
        let Ok(permit) = permits.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = metrics.clone();
                tokio::spawn(async move {
                    let answering = tokio::time::timeout(DEADLINE, answer(stream, metrics));
                    if let Ok(Err(error)) = answering.await {
                        tracing::debug!(%error, "a client of the metrics left");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // The process may be out of file descriptors for a while.
                tracing::warn!(%error, "cannot accept a client of the metrics");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, metrics: Metrics) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = respond(request.method(), request.uri().path(), &metrics);
        async move { Ok::<_, Infallible>(response) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn respond(method: &Method, path: &str, metrics: &Metrics) -> Response<Full<Bytes>> {
    if !matches!(path, "/metrics" | "/healthz" | "/readyz") {
        let body = "there are /metrics, /healthz and /readyz\n".to_owned();
        return text(StatusCode::NOT_FOUND, PLAIN, body);
    }
    if method != Method::GET && method != Method::HEAD {
        let body = "only GET\n".to_owned();
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, PLAIN, body);
        let allowed = hyper::header::HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    if path != "/metrics" {
        let health = metrics.health();
        let fine = if path == "/healthz" {
            health.live
        } else {
            health.ready
        };
        let status = match fine {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        return match serde_json::to_string(&health) {
            Ok(body) => text(status, JSON, body + "\n"),
            Err(error) => failed(&error),
        };
    }
    match metrics.text() {
        Ok(body) => text(StatusCode::OK, OPEN_METRICS, body),
        Err(error) => failed(&error),
    }
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let content_type = hyper::header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn failed(error: &dyn std::error::Error) -> Response<Full<Bytes>> {
    text(
        StatusCode::INTERNAL_SERVER_ERROR,
        PLAIN,
        format!("{error}\n"),
    )
}
