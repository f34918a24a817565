//! Serve metrics and health by HTTP, to whoever may connect.
//!
//! One connection is one question: a scraper asks every few seconds. Slow and surplus clients are cut off.

use std::{io, net::SocketAddr, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::ALLOW,
};
use thiserror::Error;
use tokio::{net::TcpListener, task::JoinHandle};

use super::Metrics;
use crate::http::{self, JSON, Limits, PLAIN, text};

const LIMITS: Limits = Limits {
    name: "metrics",
    connections: 16,
    lifetime: Duration::from_secs(10),
    stall: Duration::from_secs(10),
    keep_alive: false,
};
/// The text format of OpenMetrics, which Prometheus reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

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
        task: tokio::spawn(http::accept(
            listener,
            LIMITS,
            move |request: Request<Incoming>| {
                let response = respond(request.method(), request.uri().path(), &metrics);
                async move { response }
            },
        )),
    })
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

fn failed(error: &dyn std::error::Error) -> Response<Full<Bytes>> {
    text(
        StatusCode::INTERNAL_SERVER_ERROR,
        PLAIN,
        format!("{error}\n"),
    )
}
