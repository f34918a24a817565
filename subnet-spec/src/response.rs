//! What a miner sends back: a signed answer, or a typed refusal.

use codec::{Decode, DecodeWithMemTracking, Encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Digest, envelope::Domain};

/// Why generation stopped.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The end-of-sequence token was drawn; it is the last token of the answer.
    #[codec(index = 0)]
    Stop,
    /// `max_new_tokens` were generated.
    #[codec(index = 1)]
    Length,
}

/// The tokens that a checkpoint drew for an ask.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Answer {
    /// [`crate::Ask::hash`] of the ask that is answered.
    pub request: Digest,
    /// Digest of the manifest of the checkpoint that drew the tokens.
    pub checkpoint: Digest,
    /// Generated token ids, never text; includes the end-of-sequence token when it was drawn.
    pub tokens: Vec<u32>,
    /// Why generation stopped.
    pub finish: Finish,
}

impl Domain for Answer {
    const DOMAIN: &'static [u8] = b"athanor/answer";
}

/// A delta that is served as a blob. Whether it gives the file is proved by the file's own hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct DeltaOffer {
    /// The blake3 hash of the delta.
    pub blob: Digest,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Why a request was not served. Each variant tells the caller what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Error, Encode, Decode, DecodeWithMemTracking)]
pub enum Refusal {
    /// The signature is absent or does not verify.
    #[codec(index = 0)]
    #[error("the signature does not verify")]
    BadSignature,
    /// The request's expiry has passed by the server's clock, or lies too far ahead of it.
    #[codec(index = 1)]
    #[error(
        "expired or from the future by the server's clock ({server_time_ms} ms since the Unix epoch)"
    )]
    Expired {
        /// The server's clock in milliseconds since the Unix epoch.
        server_time_ms: u64,
    },
    /// The nonce was seen before, or was signed before the server started.
    #[codec(index = 2)]
    #[error("replayed nonce: sign the request afresh")]
    Replayed,
    /// The signer holds neither a validator permit nor enough stake.
    #[codec(index = 3)]
    #[error("the signer is neither permitted nor staked enough on this subnet")]
    NotAllowed,
    /// The request breaks a bound of the spec.
    #[codec(index = 4)]
    #[error("the request breaks a bound of the subnet's spec")]
    OutOfBounds,
    /// The server is full.
    #[codec(index = 5)]
    #[error("overloaded: retry in {retry_after_ms} ms")]
    Overloaded {
        /// Earliest useful retry in milliseconds.
        retry_after_ms: u32,
    },
    /// The blob is not served here.
    #[codec(index = 6)]
    #[error("this blob is not served here")]
    UnknownBlob,
    /// The server is shutting down, or has lost what it serves with.
    #[codec(index = 7)]
    #[error("not serving: retry in {retry_after_ms} ms")]
    NotServing {
        /// Earliest useful retry in milliseconds.
        retry_after_ms: u32,
    },
}

impl Refusal {
    /// The refusal of a server that ends, or has to be started again: that takes seconds.
    pub const RESTARTING: Self = Self::NotServing {
        retry_after_ms: 5_000,
    };

    /// After how many milliseconds the server wants to be asked again, if it said so.
    pub fn retry_after_ms(&self) -> Option<u32> {
        match self {
            Self::Overloaded { retry_after_ms } | Self::NotServing { retry_after_ms } => {
                Some(*retry_after_ms)
            }
            Self::BadSignature
            | Self::Expired { .. }
            | Self::Replayed
            | Self::NotAllowed
            | Self::OutOfBounds
            | Self::UnknownBlob => None,
        }
    }
}
