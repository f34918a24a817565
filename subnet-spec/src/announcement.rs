//! What a subnet's owner says of its spec on chain, and what follows for a node.
//!
//! The announcement is appended to the record that the owner's hotkey keeps in the Commitments pallet
//! ([`crate::commitment::Record`]): any chain of Bittensor's has that pallet, the extrinsic is free, and everybody reads it
//! with the metagraph. It names the spec that comes, the block from which on it holds, and the spec that holds until then.
//!
//! A round is an epoch, and no round changes its rules half way. So a spec is in force in every epoch whose first block is
//! its activation block or a later one.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use serde::{Deserialize, Serialize};

use crate::{BlockNumber, Digest};

/// First byte of every announcement; another value is another layout.
const LAYOUT: u8 = 1;

/// Which spec holds, and which is to come. An all-zero digest means "none".
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    Serialize,
    Deserialize,
)]
pub struct Announcement {
    /// Digest of the spec that holds before `activation`; none if nothing was published before.
    pub before: Digest,
    /// Digest of the spec that holds from then on.
    pub spec: Digest,
    /// The block.
    pub activation: BlockNumber,
}

/// How a node's spec stands to what is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// The owner has published nothing that holds now: every node's spec is as good as another's.
    Unpublished,
    /// It is the one in force.
    Same,
    /// Another one is in force.
    Other {
        /// Its digest.
        in_force: Digest,
        /// The block from which on it is, if the announcement tells.
        since: Option<BlockNumber>,
    },
}

impl Announcement {
    /// Length in bytes.
    pub const BYTES: usize = 69;

    /// As appended to a commitment record.
    pub fn to_bytes(&self) -> Vec<u8> {
        (LAYOUT, self).encode()
    }

    /// Reads an announcement from the chain, where anything may stand.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [LAYOUT, rest @ ..] if bytes.len() == Self::BYTES => Self::decode(&mut &rest[..]).ok(),
            _ => None,
        }
    }

    /// The spec in force in an epoch with this first block; `None`: none was published for it.
    pub fn in_force(&self, first_block: BlockNumber) -> Option<Digest> {
        let digest = match first_block >= self.activation {
            true => self.spec,
            false => self.before,
        };
        (digest != Digest::default()).then_some(digest)
    }

    /// The spec that is not in force yet at a block, with the block from which on it is.
    pub fn coming(&self, block: BlockNumber) -> Option<(Digest, BlockNumber)> {
        (block < self.activation && self.spec != self.before)
            .then_some((self.spec, self.activation))
    }

    /// What the owner says next: `spec` from `activation` on, said at block `now`. An announcement that was not in force yet
    /// is taken back by it.
    pub fn followed_by(
        previous: Option<&Self>,
        now: BlockNumber,
        spec: Digest,
        activation: BlockNumber,
    ) -> Self {
        let before = previous.and_then(|previous| previous.in_force(now));
        Self {
            before: before.unwrap_or_default(),
            spec,
            activation,
        }
    }
}

/// How the spec with the digest `own` stands in an epoch with this first block.
pub fn agreement(
    own: &Digest,
    published: Option<&Announcement>,
    first_block: BlockNumber,
) -> Agreement {
    let Some(published) = published else {
        return Agreement::Unpublished;
    };
    match published.in_force(first_block) {
        None => Agreement::Unpublished,
        Some(digest) if digest == *own => Agreement::Same,
        Some(in_force) => Agreement::Other {
            in_force,
            since: (first_block >= published.activation).then_some(published.activation),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Digest = Digest([1; 32]);
    const NEW: Digest = Digest([2; 32]);

    fn announcement() -> Announcement {
        Announcement {
            before: OLD,
            spec: NEW,
            activation: BlockNumber(100),
        }
    }

    #[test]
    fn the_layout_is_fixed() {
        let bytes = announcement().to_bytes();
        assert_eq!(bytes.len(), Announcement::BYTES);
        assert_eq!((bytes[0], bytes[1], bytes[33]), (1, 1, 2));
        assert_eq!(bytes[65..], 100_u32.to_le_bytes());
        assert_eq!(Announcement::from_bytes(&bytes), Some(announcement()));
        assert_eq!(Announcement::from_bytes(&bytes[..68]), None);
        let mut other = bytes;
        other[0] = 2;
        assert_eq!(Announcement::from_bytes(&other), None);
    }

    #[test]
    fn a_spec_is_in_force_in_epochs_that_begin_with_its_activation_or_later() {
        let published = announcement();
        let check = |own: &Digest, block: u32, expected: Agreement| {
            let found = agreement(own, Some(&published), BlockNumber(block));
            assert_eq!(found, expected, "block {block}");
        };
        let other = |in_force, since: Option<u32>| Agreement::Other {
            in_force,
            since: since.map(BlockNumber),
        };
        check(&OLD, 99, Agreement::Same);
        check(&NEW, 99, other(OLD, None));
        check(&OLD, 100, other(NEW, Some(100)));
        check(&NEW, 100, Agreement::Same);
        assert_eq!(
            agreement(&OLD, None, BlockNumber(7)),
            Agreement::Unpublished
        );
    }

    #[test]
    fn before_the_first_publication_holds_nothing_and_nobody_is_wrong() {
        let first = Announcement::followed_by(None, BlockNumber(5), NEW, BlockNumber(50));
        assert_eq!(first.before, Digest::default());
        assert_eq!(
            agreement(&OLD, Some(&first), BlockNumber(49)),
            Agreement::Unpublished
        );
        assert_eq!(first.coming(BlockNumber(49)), Some((NEW, BlockNumber(50))));
        assert_eq!(first.coming(BlockNumber(50)), None);
    }

    #[test]
    fn an_announcement_that_was_not_in_force_yet_is_taken_back_by_the_next() {
        let third = Digest([3; 32]);
        let early = Announcement::followed_by(
            Some(&announcement()),
            BlockNumber(99),
            third,
            BlockNumber(200),
        );
        assert_eq!(early.before, OLD);
        let late = Announcement::followed_by(
            Some(&announcement()),
            BlockNumber(100),
            third,
            BlockNumber(200),
        );
        assert_eq!(late.before, NEW);
    }
}
