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
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Cuttable {
    fn new(stream: TcpStream, cut: CancellationToken) -> Self {
        Self {
            stream,
            cut: Box::pin(cut.cancelled_owned()),
        }
    }

    /// An error if the stream is cut; else this task wakes when it is.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionReset.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
