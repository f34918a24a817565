//! A wire to a node, which can be cut or freeze at any moment.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

/// A wire to a node.
pub(crate) struct Wire {
    address: SocketAddr,
    state: Arc<Mutex<WireState>>,
    end: CancellationToken,
}

struct WireState {
    /// Cancelled when the present connections are cut.
    present: CancellationToken,
    /// Cancelled when nothing goes through any more.
    frozen: CancellationToken,
    is_open: bool,
}

impl Wire {
    /// An address at which the node answers while the wire is whole.
    pub(crate) async fn to(node: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(WireState {
                present: CancellationToken::new(),
                frozen: CancellationToken::new(),
                is_open: true,
            })),
            end: CancellationToken::new(),
        };
        let (state, end) = (wire.state.clone(), wire.end.clone());
        tokio::spawn(end.run_until_cancelled_owned(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (cut, frozen, is_open) = {
                    let state = state.lock().unwrap();
                    (state.present.clone(), state.frozen.clone(), state.is_open)
                };
                if is_open {
                    tokio::spawn(cut.run_until_cancelled_owned(connect(client, node, frozen)));
                }
            }
        }));
        wire
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// What cuts the wire, for whoever acts on its own.
    pub(crate) fn scissors(&self) -> impl Fn() + Send + 'static {
        let state = self.state.clone();
        move || {
            let mut state = state.lock().unwrap();
            state.is_open = false;
            std::mem::take(&mut state.present).cancel();
        }
    }

    /// Ends every connection; none is made until the wire is mended.
    pub(crate) fn cut(&self) {
        self.scissors()();
    }

    pub(crate) fn mend(&self) {
        self.state.lock().unwrap().is_open = true;
    }

    /// Lets nothing through any more, and closes nothing either.
    pub(crate) fn freeze(&self) {
        self.state.lock().unwrap().frozen.cancel();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cut();
        self.end.cancel();
    }
}

async fn connect(mut client: TcpStream, node: SocketAddr, frozen: CancellationToken) {
    if let Ok(mut node) = TcpStream::connect(node).await {
        let carrying = copy_bidirectional(&mut client, &mut node);
        // However it ends, both ends are closed with it; frozen, they stay open.
        if frozen.run_until_cancelled(carrying).await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
