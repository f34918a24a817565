//! The messages of the peer-to-peer protocol and their size bounds.

use codec::{Decode, DecodeWithMemTracking, Encode};

use crate::{
    challenge::{Ask, DeltaQuery, Fetch},
    envelope::Signed,
    params::Limits,
    response::{Answer, DeltaOffer, Refusal},
};

/// Name of the request-response protocol, as negotiated by libp2p.
pub const PROTOCOL_NAME: &str = "/athanor/1";

/// Bytes that any envelope may add to its payload.
const ENVELOPE_BYTES: u64 = 256;

/// What a peer asks for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum Request {
    /// Tokens.
    #[codec(index = 0)]
    Ask(Signed<Ask>),
    /// A range of a blob.
    #[codec(index = 1)]
    Fetch(Signed<Fetch>),
    /// A shorter way to a file.
    #[codec(index = 2)]
    Delta(Signed<DeltaQuery>),
}

/// What a peer gets.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum Response {
    /// Tokens.
    #[codec(index = 0)]
    Answer(Signed<Answer>),
    /// A verifiable slice of a blob (bao encoding: the content with the hashes that prove it).
    #[codec(index = 1)]
    Slice(Vec<u8>),
    /// Nothing, and why.
    #[codec(index = 2)]
    Refused(Refusal),
    /// A delta that leads from the file that the asker has to the one that it wants.
    #[codec(index = 3)]
    Delta(DeltaOffer),
}

/// Largest encoded request in bytes.
pub const fn max_request_bytes(limits: &Limits) -> u64 {
    ENVELOPE_BYTES + 4 * limits.max_prompt_tokens as u64
}

/// Largest encoded response in bytes. A bao slice carries 64 bytes of hashes per kibibyte, plus one path to the root.
pub const fn max_response_bytes(limits: &Limits) -> u64 {
    let answer = ENVELOPE_BYTES + 4 * limits.max_new_tokens as u64;
    let chunk = limits.max_chunk_bytes as u64;
    let slice = ENVELOPE_BYTES + chunk + chunk / 8 + 16 * 1024;
    if answer > slice { answer } else { slice }
}
