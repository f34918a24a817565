//! A miner's peer that does not keep to the protocol: it serves its checkpoint as others do, and answers asks with whatever
//! bytes it likes.
//!
//! The product's network cannot send what breaks the protocol, so this one is made of libp2p itself: TCP, and one stream per
//! exchange, as a validator that dials expects it.

use std::io;

use athanor_model::{Checkpoint, checkpoint::MANIFEST};
use athanor_net::{BlobStore, Identity};
use athanor_spec::{
    Ask, Commitment, Refusal, Signed,
    wire::{self, BlobRequest, BlobResponse},
};
use codec::{Decode as _, Encode};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use libp2p::{
    Multiaddr, StreamProtocol, Swarm, SwarmBuilder,
    identity::{Keypair, ed25519},
    multiaddr::Protocol,
    noise,
    request_response::{self, Event, Message, ProtocolSupport},
    swarm::SwarmEvent,
    tcp, yamux,
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{AttackError, Scene};

/// Largest request that it reads, in bytes: far above any that a validator sends.
const MAX_REQUEST: u32 = 1 << 20;
/// Frames that may wait for the stream.
const FRAMES: usize = 64;

/// What goes out on a stream, piece by piece. Dropping it ends the exchange.
pub(super) struct Frames(mpsc::Sender<Vec<u8>>);

impl Frames {
    /// Writes bytes as they are.
    pub(super) fn write(&mut self, bytes: Vec<u8>) {
        // Nobody reads any more, or far too slowly: what is said is lost.
        let _ = self.0.try_send(bytes);
    }

    /// Writes a message as a frame, whatever it is.
    pub(super) fn send(&mut self, message: &impl Encode) {
        let bytes = message.encode();
        let mut frame = (bytes.len() as u32).to_le_bytes().to_vec();
        frame.extend(bytes);
        self.write(frame);
    }
}

/// A running peer; dropping it ends it.
pub(super) type Rude = AbortOnDropHandle<()>;

/// Serves `model` on the seat of that number, committed to and announced like any other, and lets `answer` say what it likes
/// to every ask.
pub(super) async fn serve<F>(
    scene: &Scene,
    seat: usize,
    model: &Checkpoint,
    answer: impl Fn(Signed<Ask>, Frames) -> F + Send + 'static,
) -> Result<Rude, AttackError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let key = &scene.seats[seat].hotkey;
    let trees = scene.dir.join(format!("rude-{seat}"));
    let blobs = BlobStore::open(&trees, scene.spec.limits.max_chunk_bytes)?;
    let checkpoint = blobs.add(&model.dir.join(MANIFEST))?;
    for file in &model.manifest.files {
        blobs.add(&model.dir.join(&file.name))?;
    }
    let mut swarm = swarm(key.seed)?;
    let address = listen(&mut swarm).await?;
    let record = Commitment {
        checkpoint,
        peer_key: Identity::from_seed(key.seed).peer_key(),
        spec: scene.spec.digest(),
        ..Commitment::default()
    };
    let netuid = scene.spec.subnet.netuid;
    scene
        .chain
        .set_commitment(key.pair.clone(), netuid, &record)
        .await?;
    scene
        .chain
        .serve_axon(key.pair.clone(), netuid, address)
        .await?;
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            let event = swarm.select_next_some().await;
            let SwarmEvent::Behaviour(Event::Message {
                message:
                    Message::Request {
                        request, channel, ..
                    },
                ..
            }) = event
            else {
                continue;
            };
            let (sender, frames) = mpsc::channel(FRAMES);
            let mut out = Frames(sender);
            // What cannot be given any more is not missed.
            let _ = swarm.behaviour_mut().send_response(channel, frames);
            match request {
                Asked::Blob(BlobRequest::Fetch(fetch)) => {
                    out.send(&match blobs.slice(&fetch.payload) {
                        Ok(slice) => BlobResponse::Slice(slice),
                        Err(refusal) => BlobResponse::Refused(refusal),
                    });
                }
                Asked::Blob(BlobRequest::Delta(_)) => {
                    out.send(&BlobResponse::Refused(Refusal::UnknownBlob));
                }
                Asked::Tokens(ask) => drop(tokio::spawn(answer(ask, out))),
            }
        }
    })))
}

fn swarm(mut seed: [u8; 32]) -> Result<Swarm<request_response::Behaviour<Rough>>, AttackError> {
    let refused = |error: &dyn std::fmt::Display| AttackError::Listen {
        reason: error.to_string(),
    };
    let secret = ed25519::SecretKey::try_from_bytes(&mut seed).map_err(|error| refused(&error))?;
    let keypair = Keypair::from(ed25519::Keypair::from(secret));
    let swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(
            tcp::Config::default(),
            noise::Config::new,
            yamux::Config::default,
        )
        .map_err(|error| refused(&error))?
        .with_behaviour(|_| {
            let protocols = [wire::ASK_PROTOCOL, wire::BLOB_PROTOCOL]
                .map(|name| (StreamProtocol::new(name), ProtocolSupport::Inbound));
            request_response::Behaviour::with_codec(
                Rough,
                protocols,
                request_response::Config::default(),
            )
        })
        .map_err(|error| refused(&error))?
        // A validator keeps its connection for the whole round.
        .with_swarm_config(|config| {
            config.with_idle_connection_timeout(std::time::Duration::from_secs(600))
        })
        .build();
    Ok(swarm)
}

async fn listen(
    swarm: &mut Swarm<request_response::Behaviour<Rough>>,
) -> Result<std::net::SocketAddr, AttackError> {
    let localhost: Multiaddr = Multiaddr::empty()
        .with(Protocol::Ip4(std::net::Ipv4Addr::LOCALHOST))
        .with(Protocol::Tcp(0));
    swarm
        .listen_on(localhost)
        .map_err(|error| AttackError::Listen {
            reason: error.to_string(),
        })?;
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await
            && let Some(port) = address.iter().find_map(|part| match part {
                Protocol::Tcp(port) => Some(port),
                _ => None,
            })
        {
            return Ok((std::net::Ipv4Addr::LOCALHOST, port).into());
        }
    }
}

/// What it is asked.
#[derive(Debug)]
enum Asked {
    Tokens(Signed<Ask>),
    Blob(BlobRequest),
}

/// Reads requests as they should be, and writes what comes.
#[derive(Clone)]
struct Rough;

impl request_response::Codec for Rough {
    type Protocol = StreamProtocol;
    type Request = Asked;
    type Response = mpsc::Receiver<Vec<u8>>;

    async fn read_request<T>(&mut self, protocol: &StreamProtocol, io: &mut T) -> io::Result<Asked>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut prefix = [0; 4];
        io.read_exact(&mut prefix).await?;
        let length = u32::from_le_bytes(prefix);
        if length > MAX_REQUEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut bytes = vec![0; length as usize];
        io.read_exact(&mut bytes).await?;
        let asked = match protocol.as_ref() == wire::ASK_PROTOCOL {
            true => Signed::<Ask>::decode(&mut &bytes[..]).map(Asked::Tokens),
            false => BlobRequest::decode(&mut &bytes[..]).map(Asked::Blob),
        };
        asked.map_err(|_| io::ErrorKind::InvalidData.into())
    }

    async fn read_response<T>(
        &mut self,
        _: &StreamProtocol,
        _: &mut T,
    ) -> io::Result<mpsc::Receiver<Vec<u8>>>
    where
        T: AsyncRead + Unpin + Send,
    {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, _: &mut T, _: Asked) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        mut frames: mpsc::Receiver<Vec<u8>>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        while let Some(frame) = frames.recv().await {
            io.write_all(&frame).await?;
            io.flush().await?;
        }
        Ok(())
    }
}
