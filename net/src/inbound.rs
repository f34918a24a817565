//! Requests of other peers, as the server sees them.

use athanor_spec::wire::{Request, Response};
use libp2p::{PeerId, request_response::ResponseChannel};
use tokio::sync::mpsc;

use crate::{codec::TimedResponse, event_loop::Command};

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

/// The way back to the peer. Dropping it closes the stream without a response.
#[derive(Debug)]
pub struct Responder {
    pub(crate) channel: ResponseChannel<TimedResponse>,
    pub(crate) commands: mpsc::Sender<Command>,
}

impl Responder {
    /// Sends the response; in silence if the peer or the network is gone, as then nobody waits for it.
    pub async fn send(self, response: Response) {
        let _ = self
            .commands
            .send(Command::Respond {
                channel: self.channel,
                response,
            })
            .await;
    }

    /// Whether the peer still waits.
    pub fn is_open(&self) -> bool {
        self.channel.is_open()
    }
}
