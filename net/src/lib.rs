//! Carry asks to miners and answers back.
//!
//! One task ([`event_loop`](self)) owns the libp2p swarm: TCP, Noise, Yamux, request-response. Everybody else holds a
//! handle over a bounded channel: [`Client`] sends, [`Inbound`] receives, [`NetHandle`] ends it. A peer is who its
//! [`Identity`] says it is, because every dial names the peer id that the handshake must prove; which hotkey it speaks
//! for is said by the chain (`Commitment::peer_key`) and by the signatures inside the messages, never by this crate.
//!
//! Every message is read up to the bound that the subnet's spec gives and refused beyond it, before it is decoded.
//! Checkpoints travel as ranges of content-addressed blobs; each range proves itself against the blob's hash, so a bad
//! one is refused as it arrives.

#![deny(missing_docs)]

mod behaviour;
mod blobs;
mod client;
mod codec;
mod config;
mod event_loop;
mod fetch;
mod identity;
mod inbound;

pub use blobs::{AddBlobError, BlobStore};
pub use client::{AskError, Client, Observed, PeerAddress};
pub use codec::CodecError;
pub use config::{NetConfig, NetHandle, StartError, start};
pub use fetch::FetchError;
pub use identity::{BadPeerKey, Identity, IdentityFileError, peer_id};
pub use inbound::{Inbound, InboundRequest, Responder};
pub use libp2p::PeerId;

#[cfg(test)]
mod tests;
