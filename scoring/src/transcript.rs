//! Write down a round so that a stranger can check it: what was asked, what was answered, when, and what came of it.
//!
//! A transcript is a head (how the round was drawn, whom it was about) and one leaf per ask, in canonical order. A hash
//! tree over both ([`athanor_spec::merkle`]) gives the root that the validator commits to on chain; each head names the
//! root before it, so that one root on chain anchors all rounds before. From the transcripts alone follow the inputs of
//! [`crate::round::close`], hence every grade and every weight.

use std::collections::BTreeMap;

use athanor_spec::{
    Account, BlockNumber, Digest, Hotkey, NetUid, Round, SigningContext, SubnetSpec,
    merkle::{self, Inclusion},
    params::Limits,
};
use codec::{Decode, DecodeAll as _, Encode};
use thiserror::Error;

use crate::{
    allocate::ChainLimits,
    round::{self, AskResult, Closed, Ledger, RoundInput, SeenMiner},
};

mod leaf;
mod wandering;

pub use leaf::{Continuation, Failure, Leaf, LeafKey, Sight, Times};

/// First byte of an encoded transcript; another value is another layout.
const LAYOUT: u8 = 3;
/// The layout before, in which no tokens were counted at a load probe's moment, and nothing was known of what models share
/// beside their teacher; every leaf and head of it is one of this layout too.
const UNCOUNTED: u8 = 2;
/// The one before that, in which no artifact was compared with others; every head of it is one of the later layouts too.
const UNCOMPARED: u8 = 1;
/// Longest head in bytes: some 4,000 miners with evidence against each.
const MAX_HEAD_BYTES: usize = 4 << 20;
/// VRF pre-output and proof.
const PROOF_BYTES: usize = 96;
/// Most miners in a round.
const MAX_MINERS: usize = 4096;

/// How a round was drawn, and whom it was about.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Head {
    /// Hash of the chain's genesis block.
    pub genesis: Digest,
    /// The subnet.
    pub netuid: NetUid,
    /// Digest of the spec in force.
    pub spec: Digest,
    /// blake3 of the calibration in force, as compact JSON.
    pub calibration: Digest,
    /// Whose round it is.
    pub validator: Hotkey,
    /// Which round.
    pub round: Round,
    /// First block of its epoch.
    pub first_block: BlockNumber,
    /// Hash of that block.
    pub block_hash: Digest,
    /// Blocks over which asks were scattered.
    pub ask_blocks: u32,
    /// The seed that the round was drawn from: the VRF's output.
    pub seed: [u8; 32],
    /// The proof of it: VRF pre-output and proof, 96 bytes.
    pub proof: Vec<u8>,
    /// What the chain let through.
    pub limits: ChainLimits,
    /// Root of the validator's transcript before this one; `None` for its first.
    pub previous: Option<Digest>,
    /// Digest of the ledger on which this round was closed (see [`crate::round::Ledger::digest`]).
    pub ledger: Digest,
    /// The miners, by account.
    pub miners: Vec<SeenMiner>,
}

/// A round as it is published.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcript {
    /// How it was drawn.
    pub head: Head,
    /// What came of it, by account, purpose and index.
    pub leaves: Vec<Leaf>,
    head_hash: Digest,
    leaf_hashes: Vec<Digest>,
}

/// Why bytes are no transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeTranscriptError {
    /// Of another layout, or empty.
    #[error("not a transcript of layout {UNCOMPARED} to {LAYOUT}")]
    Layout,
    /// Longer than any transcript.
    #[error(
        "the transcript has {len} bytes; none has more than {}",
        Transcript::MAX_BYTES
    )]
    TooLong {
        /// Length found.
        len: usize,
    },
    /// The head is no head, or breaks a bound.
    #[error("the transcript's head is malformed")]
    Head,
    /// A leaf is none, or breaks a bound of the spec.
    #[error("leaf {index} of the transcript is malformed")]
    Leaf {
        /// Position.
        index: u32,
    },
    /// Leaves that are not in order, or two of one ask.
    #[error("leaf {index} of the transcript is out of order, or there twice")]
    Order {
        /// Position.
        index: u32,
    },
    /// Bytes after the last leaf.
    #[error("the transcript goes on after its last leaf")]
    Trailing,
}

impl Transcript {
    /// Longest encoded transcript in bytes.
    pub const MAX_BYTES: usize = 512 << 20;

    /// A transcript of leaves in any order; of two for one ask, one is kept.
    pub fn new(mut head: Head, mut leaves: Vec<Leaf>) -> Self {
        head.miners.sort_by_key(|miner| (miner.account, miner.uid));
        leaves.sort_by_key(Leaf::key);
        leaves.dedup_by_key(|leaf| leaf.key());
        let head_hash = merkle::item(&head.encode());
        let leaf_hashes = leaves
            .iter()
            .map(|leaf| merkle::item(&leaf.encode()))
            .collect();
        Self {
            head,
            leaves,
            head_hash,
            leaf_hashes,
        }
    }

    /// What the validator commits to on chain.
    pub fn root(&self) -> Digest {
        merkle::root(&self.head_hash, &self.leaf_hashes)
    }

    /// What shows that the leaf at `index` belongs to the root; `None` if there is no such leaf.
    pub fn inclusion(&self, index: usize) -> Option<Inclusion> {
        Inclusion::of(&self.head_hash, &self.leaf_hashes, index)
    }

    /// Closes the round on the ledger before it, by what the transcript says.
    pub fn close(&self, before: Ledger, spec: &SubnetSpec) -> Closed {
        let mut results: Vec<_> = self.leaves.iter().filter_map(Leaf::result).collect();
        self.accuse_wanderers(&mut results);
        let input = RoundInput {
            round: self.head.round,
            miners: &self.head.miners,
            results: &results,
            limits: &self.head.limits,
        };
        round::close(before, &input, spec)
    }

    /// Adds the faults that no answer shows by itself: who names another checkpoint from answer to answer.
    fn accuse_wanderers(&self, results: &mut [AskResult]) {
        let context = SigningContext {
            genesis: self.head.genesis,
            netuid: self.head.netuid,
        };
        let mut named = BTreeMap::<Account, Vec<Digest>>::new();
        for leaf in &self.leaves {
            if let Some(answer) = leaf.failure().and_then(|failure| failure.answer.as_ref())
                && answer.signer == leaf.account.hotkey
                && answer.verify_signature(&context).is_ok()
            {
                let named = named.entry(leaf.account).or_default();
                named.push(answer.payload.checkpoint);
            }
        }
        for (account, named) in named {
            let Some(miner) = self.head.miner(&account) else {
                continue;
            };
            let accepted: Vec<Digest> = miner
                .previous
                .into_iter()
                .chain([miner.checkpoint])
                .collect();
            let fault = wandering::fault(named, &accepted);
            let first = results.iter_mut().find(|result| result.account == account);
            if let (Some(fault), Some(first)) = (fault, first) {
                first.fault.get_or_insert(fault);
            }
        }
    }

    /// The bytes that are published: a layout byte, the length of the head (u32, little-endian) and the head, the number
    /// of leaves (u32), and each leaf with its length before it (u32).
    pub fn to_bytes(&self) -> Vec<u8> {
        // Everything is bounded far below 2^32.
        let number = |len: usize| u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
        let mut bytes = vec![LAYOUT];
        let part = |bytes: &mut Vec<u8>, part: Vec<u8>| {
            bytes.extend_from_slice(&number(part.len()));
            bytes.extend(part);
        };
        part(&mut bytes, self.head.encode());
        bytes.extend_from_slice(&number(self.leaves.len()));
        for leaf in &self.leaves {
            part(&mut bytes, leaf.encode());
        }
        bytes
    }

    /// Reads what [`Transcript::to_bytes`] wrote; whoever gave the bytes may have written anything. Every part is held
    /// against its bound before it is decoded.
    pub fn from_bytes(bytes: &[u8], limits: &Limits) -> Result<Self, DecodeTranscriptError> {
        use DecodeTranscriptError as Error;
        if bytes.len() > Self::MAX_BYTES {
            return Err(Error::TooLong { len: bytes.len() });
        }
        let (layout, mut rest) = bytes.split_first().ok_or(Error::Layout)?;
        if ![UNCOMPARED, UNCOUNTED, LAYOUT].contains(layout) {
            return Err(Error::Layout);
        }
        let head_bytes = part(&mut rest, MAX_HEAD_BYTES).ok_or(Error::Head)?;
        let head = Head::decode_all(&mut &*head_bytes)
            .ok()
            .filter(Head::is_bounded)
            .ok_or(Error::Head)?;
        let count = number(&mut rest).ok_or(Error::Head)?;
        let (mut leaves, mut leaf_hashes) = (Vec::<Leaf>::new(), Vec::new());
        for index in 0..count {
            let bytes = part(&mut rest, Leaf::max_bytes(limits)).ok_or(Error::Leaf { index })?;
            let leaf = Leaf::decode_all(&mut &*bytes)
                .ok()
                .filter(|leaf| leaf.is_bounded(limits))
                .ok_or(Error::Leaf { index })?;
            if leaves.last().is_some_and(|last| last.key() >= leaf.key()) {
                return Err(Error::Order { index });
            }
            leaf_hashes.push(merkle::item(bytes));
            leaves.push(leaf);
        }
        if !rest.is_empty() {
            return Err(Error::Trailing);
        }
        Ok(Self {
            head_hash: merkle::item(head_bytes),
            head,
            leaves,
            leaf_hashes,
        })
    }
}

impl Head {
    fn is_bounded(&self) -> bool {
        self.proof.len() == PROOF_BYTES
            && self.miners.len() <= MAX_MINERS
            && self.miners.iter().all(|miner| miner.artifact.is_bounded())
            && self
                .miners
                .windows(2)
                .all(|pair| pair[0].account < pair[1].account)
    }

    /// The miner of an account.
    pub fn miner(&self, account: &Account) -> Option<&SeenMiner> {
        self.miners.iter().find(|miner| miner.account == *account)
    }
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_le_bytes(*number))
}

fn part<'a>(rest: &mut &'a [u8], bound: usize) -> Option<&'a [u8]> {
    let len = usize::try_from(number(rest)?)
        .ok()
        .filter(|len| *len <= bound)?;
    let (part, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(part)
}

#[cfg(test)]
mod tests;
