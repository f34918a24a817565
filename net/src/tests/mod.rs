//! Tests over loopback, short and on free ports.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use athanor_spec::{
    Answer, Ask, Digest, Finish, Hotkey, Refusal, Signed, SubnetSpec,
    envelope::Domain,
    params::Limits,
    wire::{Request, Response},
};

use crate::{Client, Identity, Inbound, InboundRequest, NetConfig, NetHandle, PeerAddress, start};

mod ask;
mod blobs;
mod identity;
mod network;
mod status;
mod stream;
mod wire;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// The discard port, where nothing listens.
const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
const ENOUGH: Duration = Duration::from_secs(20);

/// A node that listens, as others address it.
struct Node {
    client: Client,
    inbound: Inbound,
    handle: NetHandle,
    address: PeerAddress,
}

fn limits() -> Limits {
    SubnetSpec::local().limits
}

async fn node(seed: u8) -> Node {
    node_with(seed, limits(), 64).await
}

async fn node_with(seed: u8, limits: Limits, inbound_queue: usize) -> Node {
    node_of(NetConfig {
        listen: vec![LOOPBACK],
        inbound_queue,
        ..NetConfig::new(Identity::from_seed([seed; 32]), limits)
    })
    .await
}

/// A node as configured; its address is that of its first listener, or one where nobody is.
async fn node_of(config: NetConfig) -> Node {
    let peer_key = config.identity.peer_key();
    let (client, inbound, handle) = start(config).await.unwrap();
    let addr = handle.local_addr().unwrap_or(NOBODY);
    Node {
        client,
        inbound,
        handle,
        address: PeerAddress { peer_key, addr },
    }
}

/// An envelope that this crate carries without looking into it.
fn envelope<T: Domain>(payload: T) -> Signed<T> {
    Signed {
        payload,
        signer: Hotkey([1; 32]),
        issued_ms: 2,
        expires_ms: 3,
        nonce: 4,
        signature: [5; 64],
    }
}

fn ask(prompt: Vec<u32>, seed: u64) -> Signed<Ask> {
    envelope(Ask {
        prompt,
        max_new_tokens: 6,
        temperature_milli: 700,
        seed,
    })
}

/// Answers an ask with its prompt, so that answers cannot be mixed up unseen.
fn echo(ask: &Signed<Ask>) -> Response {
    let request = ask.payload.hash();
    let tokens = ask.payload.prompt.clone();
    Response::Answer(envelope(Answer {
        request,
        checkpoint: Digest([9; 32]),
        tokens,
        finish: Finish::Stop,
    }))
}

/// Serves every request with `respond` until the network ends.
fn serve(mut inbound: Inbound, respond: impl Fn(&Request) -> Response + Send + 'static) {
    tokio::spawn(async move {
        while let Some(InboundRequest { request, reply, .. }) = inbound.recv().await {
            reply.send(respond(&request));
        }
    });
}

fn echo_all(request: &Request) -> Response {
    match request {
        Request::Ask(ask) => echo(ask),
        Request::Fetch(_) => Response::Slice(Vec::new()),
        Request::Delta(_) => Response::Refused(Refusal::UnknownBlob),
    }
}
