//! The one record that a hotkey keeps on chain, and its layout.
//!
//! The hotkey of the subnet's owner may append to it which spec holds ([`Announcement`]).
//!
//! A hotkey has a single `Commitments.CommitmentOf` entry per subnet, so everything that it must commit to shares it.
//! The extrinsic is signed by the hotkey: that signature is what binds the peer id to the hotkey.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Announcement, Digest};

/// First byte of every record; another value is another layout.
const LAYOUT: u8 = 1;

/// What a hotkey commits to. An all-zero digest means "none".
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    Serialize,
    Deserialize,
)]
pub struct Commitment {
    /// Digest of the manifest of the checkpoint that is served (miners).
    pub checkpoint: Digest,
    /// ed25519 public key of the libp2p identity that speaks for the hotkey.
    pub peer_key: Digest,
    /// Merkle root of the last closed round's transcript (validators).
    pub transcript_root: Digest,
    /// Digest of the subnet spec that the node runs.
    pub spec: Digest,
}

/// Everything that a hotkey keeps on chain: its commitment, and what it says of the spec, which counts for the hotkey of the
/// subnet's owner only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// What it commits to.
    pub commitment: Commitment,
    /// Which spec holds, and which is to come.
    pub announcement: Option<Announcement>,
}

impl Record {
    /// The record as stored on chain.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.commitment.to_bytes();
        if let Some(announcement) = &self.announcement {
            bytes.extend(announcement.to_bytes());
        }
        bytes
    }

    /// Reads a record from the chain; anybody may have written anything there.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeCommitmentError> {
        let error = DecodeCommitmentError { len: bytes.len() };
        let (commitment, rest) = bytes.split_at_checked(Commitment::BYTES).ok_or(error)?;
        let announcement = match rest {
            [] => None,
            rest => Some(Announcement::from_bytes(rest).ok_or(error)?),
        };
        Ok(Self {
            commitment: Commitment::from_bytes(commitment)?,
            announcement,
        })
    }
}

/// The bytes on chain are not a commitment record of this layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "not a commitment record of layout {LAYOUT} (129 bytes expected, or 198 with an announcement, found {len})"
)]
pub struct DecodeCommitmentError {
    /// Number of bytes found.
    pub len: usize,
}

impl Commitment {
    /// Length of the record in bytes.
    pub const BYTES: usize = 129;

    /// The record as stored on chain.
    pub fn to_bytes(&self) -> Vec<u8> {
        (LAYOUT, self).encode()
    }

    /// Reads a record from the chain; anybody may have written anything there.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeCommitmentError> {
        let error = DecodeCommitmentError { len: bytes.len() };
        if bytes.len() != Self::BYTES || bytes[0] != LAYOUT {
            return Err(error);
        }
        Self::decode(&mut &bytes[1..]).map_err(|_| error)
    }

    /// The committed checkpoint, if there is one.
    pub fn checkpoint(&self) -> Option<Digest> {
        (self.checkpoint != Digest::default()).then_some(self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_fixed() {
        let record = Commitment {
            checkpoint: Digest([1; 32]),
            peer_key: Digest([2; 32]),
            transcript_root: Digest([3; 32]),
            spec: Digest([4; 32]),
        };
        let bytes = record.to_bytes();
        assert_eq!(bytes.len(), Commitment::BYTES);
        assert_eq!(
            (bytes[0], bytes[1], bytes[33], bytes[65], bytes[97]),
            (1, 1, 2, 3, 4)
        );
        assert_eq!(Commitment::from_bytes(&bytes), Ok(record));
        assert_eq!(
            Commitment::from_bytes(&bytes[..128]),
            Err(DecodeCommitmentError { len: 128 })
        );
        let mut other = bytes;
        other[0] = 2;
        assert_eq!(
            Commitment::from_bytes(&other),
            Err(DecodeCommitmentError { len: 129 })
        );
    }

    #[test]
    fn an_announcement_follows_the_commitment() {
        let commitment = Commitment {
            checkpoint: Digest([1; 32]),
            ..Commitment::default()
        };
        let announcement = Announcement {
            before: Digest([2; 32]),
            spec: Digest([3; 32]),
            activation: crate::BlockNumber(7),
        };
        for announcement in [None, Some(announcement)] {
            let record = Record {
                commitment,
                announcement,
            };
            let bytes = record.to_bytes();
            assert_eq!(bytes[..Commitment::BYTES], commitment.to_bytes());
            assert_eq!(Record::from_bytes(&bytes), Ok(record));
            assert!(Record::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        }
        let mut longer = commitment.to_bytes();
        longer.push(1);
        assert!(Record::from_bytes(&longer).is_err());
    }
}
