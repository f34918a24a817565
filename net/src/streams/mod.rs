//! Streams to and from peers: the swarm's part in every exchange.
//!
//! [`Behaviour`] dials where there is no connection, prefers a direct connection to a relayed one, and hands each stream
//! to whoever asked for it. What others open comes out as [`Event`]s. It holds no queue that a peer can fill: orders for
//! streams come from callers who hold a permit, and inbound streams pass the connection's own bounded buffer.
//!
//! libp2p-stream has the same purpose; it resets inbound streams that arrive in one burst, takes a random one of a
//! peer's connections, and keeps a channel for every connection that ever was, so a service of months cannot use it.

mod handler;

use std::{
    collections::{HashMap, VecDeque},
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{ConnectedPoint, Endpoint, transport::PortUse},
    multiaddr::Protocol,
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionId, DialError, DialFailure, FromSwarm,
        NetworkBehaviour, NotifyHandler, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::sync::oneshot;

use handler::{Handler, Order};

/// Why a stream was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// Nobody could be reached at the addresses that are known.
    Unreachable,
    /// Another peer proved itself there.
    WrongPeer {
        /// Who.
        obtained: PeerId,
    },
    /// This node's own limits forbid the connection.
    Denied,
    /// The connection ended before the stream was open.
    Disconnected,
    /// The peer does not speak the protocol.
    Unsupported,
}

/// A stream that a caller wants.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) peer: PeerId,
    /// Where to dial if there is no connection.
    pub(crate) addresses: Vec<Multiaddr>,
    pub(crate) protocol: StreamProtocol,
    /// Where the stream goes. Dropping the other end withdraws the order.
    pub(crate) reply: oneshot::Sender<Result<Stream, OpenError>>,
}

/// What the event loop must know.
#[derive(Debug)]
pub(crate) enum Event {
    /// A peer opened a stream.
    Inbound(Inbound),
    /// A peer is not where it was dialled; [`Behaviour::redial`] says where else it may be.
    Unreachable(PeerId),
}

/// A stream that a peer opened.
#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) peer: PeerId,
    pub(crate) protocol: StreamProtocol,
    pub(crate) stream: Stream,
}

/// A connection, as the operator may want to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Who is at the other end.
    pub peer: PeerId,
    /// Where.
    pub address: Multiaddr,
    /// Whether a relay stands between.
    pub relayed: bool,
    /// Whether the other end dialled.
    pub inbound: bool,
}

/// A connection on which streams can be opened.
struct Link {
    connection: ConnectionId,
    endpoint: ConnectedPoint,
}

/// Orders that wait for a dial.
struct Dialling {
    /// The dial under way.
    connection: ConnectionId,
    orders: Vec<Order>,
    /// Where that dial goes.
    whither: Whither,
    /// Why the first dial failed.
    failed: Option<OpenError>,
}

/// Where a peer is looked for, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whither {
    /// Where the chain says.
    Axon,
    /// Behind who answers there in its stead, who may be its relay.
    Relay,
    /// Where others say.
    Elsewhere,
}

/// The behaviour.
pub(crate) struct Behaviour {
    protocols: Vec<StreamProtocol>,
    links: HashMap<PeerId, Vec<Link>>,
    dialling: HashMap<PeerId, Dialling>,
    events: VecDeque<ToSwarm<Event, Order>>,
}

impl Behaviour {
    /// Accepts streams of these protocols; opens streams of any.
    pub(crate) fn new(protocols: Vec<StreamProtocol>) -> Self {
        Self {
            protocols,
            links: HashMap::new(),
            dialling: HashMap::new(),
            events: VecDeque::new(),
        }
    }

    /// Opens a stream, over a connection that is there or is made for it.
    pub(crate) fn open(&mut self, open: Open) {
        let Open {
            peer,
            addresses,
            protocol,
            reply,
        } = open;
        let order = Order { protocol, reply };
        if let Some(connection) = self.best_link(&peer) {
            return self.order(peer, connection, order);
        }
        if let Some(dialling) = self.dialling.get_mut(&peer) {
            dialling.orders.retain(|order| !order.reply.is_closed());
            return dialling.orders.push(order);
        }
        let dial = dial(peer, addresses);
        self.dialling.insert(
            peer,
            Dialling {
                connection: dial.connection_id(),
                orders: vec![order],
                whither: Whither::Axon,
                failed: None,
            },
        );
        self.events.push_back(ToSwarm::Dial { opts: dial });
    }

    /// Tries a peer that was [`Event::Unreachable`] elsewhere; without addresses, its orders fail.
    pub(crate) fn redial(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        let Some(dialling) = self.dialling.get_mut(&peer) else {
            // It connected meanwhile.
            return;
        };
        dialling.orders.retain(|order| !order.reply.is_closed());
        if addresses.is_empty() || dialling.orders.is_empty() {
            return self.give_up(&peer);
        }
        dialling.whither = Whither::Elsewhere;
        self.dial_again(peer, addresses);
    }

    fn dial_again(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        let dial = dial(peer, addresses);
        if let Some(dialling) = self.dialling.get_mut(&peer) {
            dialling.connection = dial.connection_id();
        }
        self.events.push_back(ToSwarm::Dial { opts: dial });
    }

    fn give_up(&mut self, peer: &PeerId) {
        let Some(dialling) = self.dialling.remove(peer) else {
            return;
        };
        let error = dialling.failed.unwrap_or(OpenError::Unreachable);
        for order in dialling.orders {
            let _ = order.reply.send(Err(error.clone()));
        }
    }

    /// All connections, with the address of each one's other end.
    pub(crate) fn connections(&self) -> impl Iterator<Item = Connected> {
        self.links.iter().flat_map(|(peer, links)| {
            links.iter().map(|link| Connected {
                peer: *peer,
                address: link.endpoint.get_remote_address().clone(),
                relayed: link.endpoint.is_relayed(),
                inbound: link.endpoint.is_listener(),
            })
        })
    }

    /// The newest direct connection, else the newest.
    fn best_link(&self, peer: &PeerId) -> Option<ConnectionId> {
        let links = self.links.get(peer)?;
        let direct = links.iter().rev().find(|link| !link.endpoint.is_relayed());
        direct.or(links.last()).map(|link| link.connection)
    }

    fn order(&mut self, peer_id: PeerId, connection: ConnectionId, event: Order) {
        self.events.push_back(ToSwarm::NotifyHandler {
            peer_id,
            handler: NotifyHandler::One(connection),
            event,
        });
    }

    fn disconnected(&mut self, peer: PeerId, connection: ConnectionId) {
        if let Some(links) = self.links.get_mut(&peer) {
            links.retain(|link| link.connection != connection);
            if links.is_empty() {
                self.links.remove(&peer);
            }
        }
    }

    fn dial_failed(&mut self, failure: DialFailure<'_>) {
        let Some(peer) = failure.peer_id else { return };
        let ours = |dialling: &&mut Dialling| dialling.connection == failure.connection_id;
        let Some(dialling) = self.dialling.get_mut(&peer).filter(ours) else {
            return;
        };
        tracing::debug!(%peer, error = %failure.error, "dial failed");
        // The first failure is the one to name: it is about the address on chain.
        dialling
            .failed
            .get_or_insert_with(|| open_error(failure.error));
        if matches!(failure.error, DialError::Denied { .. }) {
            return self.give_up(&peer);
        }
        match dialling.whither {
            Whither::Axon => match circuit(failure.error, peer) {
                Some(circuit) => {
                    dialling.whither = Whither::Relay;
                    self.dial_again(peer, vec![circuit]);
                }
                None => self.look_elsewhere(peer),
            },
            Whither::Relay => self.look_elsewhere(peer),
            Whither::Elsewhere => self.give_up(&peer),
        }
    }

    fn look_elsewhere(&mut self, peer: PeerId) {
        let unreachable = Event::Unreachable(peer);
        self.events.push_back(ToSwarm::GenerateEvent(unreachable));
    }
}

/// The way to a peer through the one that answered at its address: a peer behind a router has its relay's address on chain.
/// The handshake through it must prove the same peer, so whoever else answers there can only carry, or not.
fn circuit(error: &DialError, peer: PeerId) -> Option<Multiaddr> {
    let DialError::WrongPeerId { obtained, address } = error else {
        return None;
    };
    let relay: Multiaddr = address
        .iter()
        .filter(|part| !matches!(part, Protocol::P2p(_)))
        .collect();
    let direct = !relay.iter().any(|part| part == Protocol::P2pCircuit);
    direct.then(|| {
        relay
            .with(Protocol::P2p(*obtained))
            .with(Protocol::P2pCircuit)
            .with(Protocol::P2p(peer))
    })
}

fn dial(peer: PeerId, addresses: Vec<Multiaddr>) -> DialOpts {
    DialOpts::peer_id(peer)
        .addresses(addresses)
        .extend_addresses_through_behaviour()
        // A dial that another behaviour began may go to an address that is no longer true.
        .condition(PeerCondition::Disconnected)
        .build()
}

fn open_error(error: &DialError) -> OpenError {
    match error {
        DialError::WrongPeerId { obtained, .. } => OpenError::WrongPeer {
            obtained: *obtained,
        },
        DialError::Denied { .. } => OpenError::Denied,
        _ => OpenError::Unreachable,
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.protocols.clone()))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.protocols.clone()))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(made) => {
                self.links.entry(made.peer_id).or_default().push(Link {
                    connection: made.connection_id,
                    endpoint: made.endpoint.clone(),
                });
                let waiting = self.dialling.remove(&made.peer_id);
                for order in waiting.into_iter().flat_map(|dialling| dialling.orders) {
                    self.order(made.peer_id, made.connection_id, order);
                }
            }
            FromSwarm::ConnectionClosed(ConnectionClosed {
                peer_id,
                connection_id,
                ..
            }) => self.disconnected(peer_id, connection_id),
            FromSwarm::DialFailure(failure) => self.dial_failed(failure),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        _: ConnectionId,
        handler::Opened { protocol, stream }: THandlerOutEvent<Self>,
    ) {
        let inbound = Event::Inbound(Inbound {
            peer,
            protocol,
            stream,
        });
        self.events.push_back(ToSwarm::GenerateEvent(inbound));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        self.events.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
