//! One connection's part: negotiating streams.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll, Waker},
};

use libp2p::{
    InboundUpgrade, OutboundUpgrade, Stream, StreamProtocol,
    core::UpgradeInfo,
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
        },
    },
};
use tokio::sync::oneshot;

use super::OpenError;

/// An order for a stream on this connection.
#[derive(Debug)]
pub(crate) struct Order {
    pub(super) protocol: StreamProtocol,
    pub(super) reply: oneshot::Sender<Result<Stream, OpenError>>,
}

/// A stream that the peer opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(super) protocol: StreamProtocol,
    pub(super) stream: Stream,
}

/// The connection handler. Its queues are drained by the connection's task whenever it runs; orders that are still here
/// when the connection ends drop their replies, which reads as disconnected.
pub(crate) struct Handler {
    protocols: Vec<StreamProtocol>,
    orders: VecDeque<Order>,
    inbound: VecDeque<Opened>,
    waker: Option<Waker>,
}

impl Handler {
    pub(super) fn new(protocols: Vec<StreamProtocol>) -> Self {
        Self {
            protocols,
            orders: VecDeque::new(),
            inbound: VecDeque::new(),
            waker: None,
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Order;
    type ToBehaviour = Opened;
    type InboundProtocol = Protocols;
    type OutboundProtocol = Protocols;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Order;

    fn listen_protocol(&self) -> SubstreamProtocol<Protocols> {
        SubstreamProtocol::new(Protocols(self.protocols.clone()), ())
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Protocols, Order, Opened>> {
        if let Some(inbound) = self.inbound.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(inbound));
        }
        while let Some(order) = self.orders.pop_front() {
            if order.reply.is_closed() {
                continue;
            }
            let protocols = Protocols(vec![order.protocol.clone()]);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(protocols, order),
            });
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, order: Order) {
        self.orders.push_back(order);
        self.wake();
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Protocols, Protocols, (), Order>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (protocol, stream),
                ..
            }) => {
                self.inbound.push_back(Opened { protocol, stream });
                self.wake();
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (_, stream),
                info: order,
            }) => drop(order.reply.send(Ok(stream))),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: order, error }) => {
                let error = match error {
                    StreamUpgradeError::NegotiationFailed => OpenError::Unsupported,
                    StreamUpgradeError::Apply(never) => match never {},
                    StreamUpgradeError::Timeout | StreamUpgradeError::Io(_) => {
                        OpenError::Disconnected
                    }
                };
                let _ = order.reply.send(Err(error));
            }
            _ => {}
        }
    }
}

/// The upgrade that leaves a negotiated stream as it is.
pub(crate) struct Protocols(Vec<StreamProtocol>);

impl UpgradeInfo for Protocols {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Protocols {
    type Output = (StreamProtocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}

impl OutboundUpgrade<Stream> for Protocols {
    type Output = (StreamProtocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}
