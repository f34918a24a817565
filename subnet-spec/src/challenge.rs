//! What a validator sends to a miner: an ask for tokens, or for a piece of an artifact.

use codec::{Decode, DecodeWithMemTracking, Encode};

use crate::{Digest, envelope::Domain};

/// A request for a sampled continuation. Audits and users' traffic have this one shape.
///
/// Sampling is seeded Gumbel-max over `logits / temperature`: the answer to an ask is a function of the checkpoint and
/// of this struct, which is what makes it checkable.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Ask {
    /// Prompt token ids, at least one, at most [`crate::params::Limits::max_prompt_tokens`].
    pub prompt: Vec<u32>,
    /// Upper bound on generated tokens, the end-of-sequence token included.
    pub max_new_tokens: u16,
    /// Sampling temperature in thousandths; 0 is greedy decoding.
    pub temperature_milli: u16,
    /// Key of the Gumbel draws.
    pub seed: u64,
}

impl Ask {
    /// Sampling temperature, dimensionless.
    pub fn temperature(&self) -> f32 {
        f32::from(self.temperature_milli) / 1000.0
    }

    /// The hash that an answer names to say which ask it answers.
    pub fn hash(&self) -> Digest {
        Digest::of(&self.encode())
    }
}

impl Domain for Ask {
    const DOMAIN: &'static [u8] = b"athanor/ask";
}

/// A request for a range of a content-addressed blob (a manifest, or a file that a manifest names).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Fetch {
    /// The blake3 hash of the whole blob.
    pub blob: Digest,
    /// First byte wanted.
    pub offset: u64,
    /// Number of bytes wanted, at most [`crate::params::Limits::max_chunk_bytes`].
    pub len: u32,
}

impl Domain for Fetch {
    const DOMAIN: &'static [u8] = b"athanor/fetch";
}

/// A question for what changed from one file to another, which is fetched as a blob of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, DecodeWithMemTracking)]
pub struct DeltaQuery {
    /// The blake3 hash of the file that is wanted.
    pub file: Digest,
    /// The blake3 hash of the file that the asker has.
    pub base: Digest,
}

impl Domain for DeltaQuery {
    const DOMAIN: &'static [u8] = b"athanor/delta";
}
