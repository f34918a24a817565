//! The messages of the peer-to-peer protocols and their size bounds.
//!
//! Each protocol has a name with a version of its own, negotiated by libp2p when a stream is opened. A stream carries one
//! exchange: a request in one frame, then the response in one frame, or in many where tokens are streamed. In every
//! protocol the first variant of a response is the refusal, so that a node that cannot read a request can still say why.

use codec::{Decode, DecodeWithMemTracking, Encode};

use crate::{
    challenge::{Ask, DeltaQuery, Fetch},
    envelope::Signed,
    params::Limits,
    response::{Answer, DeltaOffer, Refusal},
};

/// Tokens for a prompt: request [`Signed<Ask>`], response [`AskFrame`]s.
pub const ASK_PROTOCOL: &str = "/athanor/ask/2";
/// Ranges of content-addressed blobs: request [`BlobRequest`], response [`BlobResponse`].
pub const BLOB_PROTOCOL: &str = "/athanor/blob/2";

/// Bytes that any envelope may add to its payload.
const ENVELOPE_BYTES: u64 = 256;

/// One piece of what follows an ask: any number of `Tokens`, then one `Done` or `Refused`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum AskFrame {
    /// Nothing more, and why. The last frame.
    #[codec(index = 0)]
    Refused(Refusal),
    /// The next tokens of the answer, at least one.
    #[codec(index = 1)]
    Tokens(Vec<u32>),
    /// The whole answer, which begins with all tokens sent before. The last frame.
    #[codec(index = 2)]
    Done(Signed<Answer>),
}

/// What a peer asks of a blob server.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum BlobRequest {
    /// A range of a blob: of a checkpoint's file, of a delta, of a transcript.
    #[codec(index = 0)]
    Fetch(Signed<Fetch>),
    /// A shorter way to a file.
    #[codec(index = 1)]
    Delta(Signed<DeltaQuery>),
}

/// What a blob server says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum BlobResponse {
    /// Nothing, and why.
    #[codec(index = 0)]
    Refused(Refusal),
    /// A verifiable slice of a blob (bao encoding: the content with the hashes that prove it).
    #[codec(index = 1)]
    Slice(Vec<u8>),
    /// A delta that leads from the file that the asker has to the one that it wants.
    #[codec(index = 2)]
    Delta(DeltaOffer),
}

/// Any request that a node hands to its server, whichever protocol it came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Tokens.
    Ask(Signed<Ask>),
    /// A range of a blob.
    Fetch(Signed<Fetch>),
    /// A shorter way to a file.
    Delta(Signed<DeltaQuery>),
}

/// What a server says to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// The whole answer to an ask.
    Answer(Signed<Answer>),
    /// The slice that was fetched.
    Slice(Vec<u8>),
    /// Nothing, and why.
    Refused(Refusal),
    /// The delta that was asked for.
    Delta(DeltaOffer),
}

/// Largest encoded ask in bytes.
pub const fn max_ask_bytes(limits: &Limits) -> u64 {
    ENVELOPE_BYTES + 4 * limits.max_prompt_tokens as u64
}

/// Largest encoded frame of an answer in bytes.
pub const fn max_ask_frame_bytes(limits: &Limits) -> u64 {
    ENVELOPE_BYTES + 4 * limits.max_new_tokens as u64
}

/// Largest encoded request of a blob server in bytes: its payloads are a few words.
pub const MAX_BLOB_REQUEST_BYTES: u64 = ENVELOPE_BYTES;

/// Largest encoded response of a blob server in bytes. A bao slice carries 64 bytes of hashes per kibibyte, plus one path
/// to the root.
pub const fn max_blob_response_bytes(limits: &Limits) -> u64 {
    let chunk = limits.max_chunk_bytes as u64;
    ENVELOPE_BYTES + chunk + chunk / 8 + 16 * 1024
}
