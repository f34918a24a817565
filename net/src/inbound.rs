//! Requests of other peers, as the server sees them.

use athanor_spec::wire::Request;
use libp2p::PeerId;
use tokio::sync::mpsc;

use crate::Responder;

/// The queue of requests that wait to be served. Dropping it makes the network refuse all requests.
#[derive(Debug)]
pub struct Inbound {
    queue: mpsc::Receiver<InboundRequest>,
}

impl Inbound {
    pub(crate) fn new(queue: mpsc::Receiver<InboundRequest>) -> Self {
        Self { queue }
    }

    /// The next request; `None` once the network has ended.
    pub async fn recv(&mut self) -> Option<InboundRequest> {
        self.queue.recv().await
    }
}

/// One request of a peer, decoded and within bounds, not yet believed.
#[derive(Debug)]
pub struct InboundRequest {
    /// The peer that the connection authenticated.
    pub peer: PeerId,
    /// What it asks for.
    pub request: Request,
    /// Where the response goes.
    pub reply: Responder,
}
