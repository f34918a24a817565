//! Accept connections, and cut them when that is asked for.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use jsonrpsee::{
    Methods,
    server::{ServerBuilder, ServerConfig, StopHandle, serve_with_graceful_shutdown},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFutureOwned},
    task::TaskTracker,
};

use crate::faults::Faults;

/// Serves `methods` on `listener` until `stop`, and until every connection has ended.
pub(crate) async fn serve(
    listener: TcpListener,
    settings: ServerConfig,
    methods: Methods,
    faults: Arc<Faults>,
    stop: StopHandle,
) {
    let services = ServerBuilder::with_config(settings).to_service_builder();
    let connections = TaskTracker::new();
    let stopped = stop.clone().shutdown();
    tokio::pin!(stopped);
    loop {
        let accepted = tokio::select! {
            () = &mut stopped => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Such as too many open files: others may close theirs.
                tracing::warn!(%error, "a connection is not accepted");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let Some(cut) = faults.connect() else {
            continue;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection ended at once");
            continue;
        }
        let service = services.clone().build(methods.clone(), stop.clone());
        let stopped = stop.clone().shutdown();
        connections.spawn(async move {
            let stream = Cuttable::new(stream, cut);
            if let Err(error) = serve_with_graceful_shutdown(stream, service, stopped).await {
                tracing::debug!(%error, "a connection failed");
            }
        });
    }
    connections.close();
    connections.wait().await;
}

/// A stream that fails once a token is cancelled.
struct Cuttable {
    stream: TcpStream,
    cut: CancellationToken,
    /// Wakes the task that reads. It is polled by that one alone: another task writes, and would be woken in its stead.
    woken: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Cuttable {
    fn new(stream: TcpStream, cut: CancellationToken) -> Self {
        Self {
            stream,
            woken: Box::pin(cut.clone().cancelled_owned()),
            cut,
        }
    }

    /// An error if the stream is cut.
    fn check(&self) -> io::Result<()> {
        match self.cut.is_cancelled() {
            true => Err(io::ErrorKind::ConnectionReset.into()),
            false => Ok(()),
        }
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.woken.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
