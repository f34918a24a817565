//! A peer that does not keep to the protocol: it opens streams as others do, and then writes what it likes.

use std::{io, net::SocketAddr, time::Duration};

use athanor_spec::{Digest, wire};
use futures::{AsyncRead, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, identity, noise,
    request_response::{self, OutboundRequestId, ProtocolSupport},
    swarm::SwarmEvent,
    tcp, yamux,
};

/// Bytes to write, and how.
#[derive(Clone, Debug)]
pub(crate) struct Rudeness {
    pub(crate) bytes: Vec<u8>,
    /// Pause after every byte.
    pub(crate) dribble: Duration,
    /// How long the stream is held afterwards, without a byte being read.
    pub(crate) hold: Duration,
}

/// Writes a [`Rudeness`] and reads nothing.
#[derive(Clone, Default)]
struct Writer;

impl request_response::Codec for Writer {
    type Protocol = StreamProtocol;
    type Request = Rudeness;
    type Response = ();

    async fn read_request<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<Rudeness>
    where
        T: AsyncRead + Unpin + Send,
    {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<()>
    where
        T: AsyncRead + Unpin + Send,
    {
        Ok(())
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        rudeness: Rudeness,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        if rudeness.dribble.is_zero() {
            io.write_all(&rudeness.bytes).await?;
        } else {
            for byte in rudeness.bytes {
                io.write_all(&[byte]).await?;
                io.flush().await?;
                tokio::time::sleep(rudeness.dribble).await;
            }
        }
        io.flush().await?;
        tokio::time::sleep(rudeness.hold).await;
        Ok(())
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, _: &mut T, _: ()) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The peer. It is a new one for every instance: whoever was banned comes back as somebody else.
pub(crate) struct Rude {
    swarm: Swarm<request_response::Behaviour<Writer>>,
    peer: PeerId,
    addr: Multiaddr,
}

impl Rude {
    pub(crate) fn new(addr: SocketAddr, peer_key: &Digest) -> Self {
        let protocol = StreamProtocol::new(wire::ASK_PROTOCOL);
        let swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(
                tcp::Config::default(),
                noise::Config::new,
                yamux::Config::default,
            )
            .unwrap()
            .with_behaviour(|_| {
                request_response::Behaviour::with_codec(
                    Writer,
                    [(protocol, ProtocolSupport::Outbound)],
                    request_response::Config::default()
                        .with_request_timeout(Duration::from_secs(30)),
                )
            })
            .unwrap()
            .build();
        let key = identity::ed25519::PublicKey::try_from_bytes(&peer_key.0).unwrap();
        Self {
            swarm,
            peer: identity::PublicKey::from(key).to_peer_id(),
            addr: Multiaddr::from(addr.ip()).with(libp2p::multiaddr::Protocol::Tcp(addr.port())),
        }
    }

    /// Does these things at once, each on a stream of its own, and waits until all have ended, well or not.
    pub(crate) async fn all(&mut self, acts: impl IntoIterator<Item = Rudeness>) {
        let addresses = vec![self.addr.clone()];
        let requests = self.swarm.behaviour_mut();
        let mut open: Vec<OutboundRequestId> = acts
            .into_iter()
            .map(|act| requests.send_request_with_addresses(&self.peer, act, addresses.clone()))
            .collect();
        while !open.is_empty() {
            if let SwarmEvent::Behaviour(
                request_response::Event::Message {
                    message: request_response::Message::Response { request_id: id, .. },
                    ..
                }
                | request_response::Event::OutboundFailure { request_id: id, .. },
            ) = self.swarm.select_next_some().await
            {
                open.retain(|other| *other != id);
            }
        }
    }
}
