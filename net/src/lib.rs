//! Carry asks to miners and answers back.
//!
//! One task ([`event_loop`](self)) owns the libp2p swarm. Everybody else holds a handle over a bounded channel:
//! [`Client`] asks, [`Inbound`] receives, [`NetHandle`] ends it. A peer is who its [`Identity`] says it is, because every
//! dial names the peer id that the handshake must prove; which hotkey it speaks for is said by the chain
//! (`Commitment::peer_key`) and by the signatures inside the messages, never by this crate.
//!
//! Every frame's length is held against the bound that the subnet's spec gives before a byte of it is read.
//! Checkpoints travel as ranges of content-addressed blobs; each range proves itself against the blob's hash, so a bad
//! one is refused as it arrives.

#![deny(missing_docs)]

mod acceptor;
mod allowance;
mod ask;
mod behaviour;
mod blobs;
mod client;
mod clock;
mod config;
mod discovery;
mod event_loop;
mod exchange;
mod fetch;
mod frame;
mod gate;
mod identity;
mod inbound;
mod kept;
mod library;
mod outbox;
mod partial;
mod penalties;
mod slots;
mod status;
mod streams;
mod transfer;
mod transport;
mod whereabouts;

pub use ask::{AskStream, Observed};
pub use blobs::{AddBlobError, BlobStore};
pub use client::{AskError, Client, PeerAddress};
pub use config::{NetConfig, NetHandle, RelayLimits, StartError, Ways, start};
pub use fetch::{Dropped, FetchError, Fetched};
pub use frame::CodecError;
pub use identity::{BadPeerKey, Identity, IdentityFileError, peer_id};
pub use inbound::{Inbound, InboundRequest};
pub use libp2p::{Multiaddr, PeerId};
pub use library::{Library, SignFetch};
pub use outbox::Responder;
pub use status::{Serving, Specs, Transcripts, fetch_spec};
pub use streams::Connected;
pub use transport::address_of;
pub use whereabouts::{Reachability, Whereabouts};

#[cfg(test)]
mod tests;
