//! The messages of the peer-to-peer protocols and their size bounds.
//!
//! Each protocol has a name with a version of its own, negotiated by libp2p when a stream is opened. A stream carries one
//! exchange: a request in one frame, then the response in one frame, or in many where tokens are streamed. In every
//! protocol the first variant of a response is the refusal, so that a node that cannot read a request can still say why.

use codec::{Decode, DecodeWithMemTracking, Encode};

use crate::{
    Digest, Round,
    challenge::{Ask, DeltaQuery, Fetch},
    envelope::Signed,
    params::Limits,
    response::{Answer, DeltaOffer, Refusal},
};

/// Tokens for a prompt: request [`Signed<Ask>`], response [`AskFrame`]s.
pub const ASK_PROTOCOL: &str = "/athanor/ask/3";
/// Ranges of content-addressed blobs: request [`BlobRequest`], response [`BlobResponse`].
pub const BLOB_PROTOCOL: &str = "/athanor/blob/3";
/// What a node says about itself: request [`StatusQuery`], response [`StatusResponse`].
pub const STATUS_PROTOCOL: &str = "/athanor/status/3";
/// The subnet's spec: request [`SpecQuery`], response [`SpecResponse`].
pub const SPEC_PROTOCOL: &str = "/athanor/spec/3";

/// Which transcripts a validator keeps: request [`TranscriptQuery`], response [`TranscriptResponse`].
pub const TRANSCRIPT_PROTOCOL: &str = "/athanor/transcript/3";

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

/// A question for a node's status. Unsigned: anybody may ask, now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct StatusQuery {
    /// The asker's clock in milliseconds since the Unix epoch.
    pub time_ms: u64,
}

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum NodeKind {
    /// It answers asks.
    #[codec(index = 0)]
    Miner,
    /// It asks, and serves transcripts.
    #[codec(index = 1)]
    Validator,
    /// Neither: a relay, a meeting point, a tool.
    #[codec(index = 2)]
    Other,
}

/// What a node says about itself. No pay may rest on it: it is a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Status {
    /// What it is for.
    pub kind: NodeKind,
    /// [`crate::PROTOCOL_VERSION`] of what it runs.
    pub version: u16,
    /// Digest of the spec that it follows.
    pub spec: Option<Digest>,
    /// Manifest digest of the checkpoint that it serves.
    pub checkpoint: Option<Digest>,
    /// Asks that it would take up at once.
    pub free_slots: u32,
    /// Its clock in milliseconds since the Unix epoch.
    pub time_ms: u64,
}

/// What a node says to a [`StatusQuery`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum StatusResponse {
    /// Nothing, and why.
    #[codec(index = 0)]
    Refused(Refusal),
    /// Its status.
    #[codec(index = 1)]
    Status(Status),
}

/// A question for the text of a spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct SpecQuery {
    /// [`crate::SubnetSpec::digest`] of the spec.
    pub digest: Digest,
}

/// What a node says to a [`SpecQuery`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum SpecResponse {
    /// Nothing, and why: `UnknownBlob` when it follows another spec.
    #[codec(index = 0)]
    Refused(Refusal),
    /// The spec as TOML; its digest is over the values, so comments may be gone.
    #[codec(index = 1)]
    Toml(String),
}

/// A question for the transcript of a closed round. Unsigned: anybody may ask, now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct TranscriptQuery {
    /// The round; `None` for the last one that was closed.
    pub round: Option<Round>,
}

/// A transcript that a validator keeps, to be fetched as a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct TranscriptOffer {
    /// The round.
    pub round: Round,
    /// Root of the transcript's hash tree, which the validator committed to on chain, if it could, after the round.
    pub root: Digest,
    /// The blake3 hash of the transcript's bytes.
    pub blob: Digest,
    /// Their number.
    pub bytes: u64,
    /// The ledger on which the round was closed, where it is kept: its hash and its length in bytes.
    pub ledger: Option<(Digest, u64)>,
    /// The oldest round whose transcript is kept.
    pub oldest: Round,
}

/// What a node says to a [`TranscriptQuery`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum TranscriptResponse {
    /// Nothing, and why: `UnknownBlob` when the transcript is not kept here.
    #[codec(index = 0)]
    Refused(Refusal),
    /// Where it is.
    #[codec(index = 1)]
    Offer(TranscriptOffer),
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

/// Largest encoded message of [`STATUS_PROTOCOL`], and largest question for a spec, in bytes.
pub const MAX_STATUS_BYTES: u64 = 128;
/// Largest encoded message of [`TRANSCRIPT_PROTOCOL`] in bytes.
pub const MAX_TRANSCRIPT_OFFER_BYTES: u64 = 192;
/// Largest encoded spec in bytes.
pub const MAX_SPEC_BYTES: u64 = 64 * 1024;

/// Largest encoded response of a blob server in bytes. A bao slice carries 64 bytes of hashes per kibibyte, plus one path
/// to the root.
pub const fn max_blob_response_bytes(limits: &Limits) -> u64 {
    let chunk = limits.max_chunk_bytes as u64;
    ENVELOPE_BYTES + chunk + chunk / 8 + 16 * 1024
}
