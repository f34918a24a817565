//! A beacon, its pulses, and how they travel.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{BoundedVec, traits::ConstU32};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_io::hashing::sha2_256;

/// A compressed point of BLS12-381's G2.
pub type OpaquePublicKey = BoundedVec<u8, ConstU32<96>>;
/// Up to 32 bytes.
pub type BoundedHash = BoundedVec<u8, ConstU32<32>>;
/// Number of a round, from 1.
pub type RoundNumber = u64;

/// The public key of drand's quicknet.
const QUICKNET_KEY: [u8; 96] = hex96(
    b"83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
);
/// The hash of quicknet's chain.
const QUICKNET_HASH: [u8; 32] = [
    82, 219, 155, 167, 14, 12, 192, 246, 234, 247, 128, 61, 208, 116, 71, 161, 245, 71, 119, 53,
    253, 63, 102, 23, 146, 186, 148, 96, 12, 132, 233, 113,
];
/// The hash of quicknet's group.
const QUICKNET_GROUP: [u8; 32] = [
    244, 119, 213, 200, 159, 33, 161, 124, 134, 58, 127, 147, 124, 106, 109, 21, 133, 148, 20, 210,
    190, 9, 205, 68, 141, 66, 121, 175, 51, 28, 93, 62,
];
/// Signatures in G1, of the round's number alone.
const SCHEME: &[u8] = b"bls-unchained-g1-rfc9380";

/// A beacon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct BeaconConfiguration {
    /// Whose signatures its pulses carry.
    pub public_key: OpaquePublicKey,
    /// Seconds per round.
    pub period: u32,
    /// When round 1 was signed, in seconds since 1970.
    pub genesis_time: u32,
    /// Hash of the beacon's description.
    pub hash: BoundedHash,
    /// Hash of the group that signs.
    pub group_hash: BoundedHash,
    /// What is signed how.
    pub scheme_id: BoundedHash,
    /// Further description.
    pub metadata: Metadata,
}

impl BeaconConfiguration {
    /// drand's quicknet: a round every three seconds since 23 August 2023.
    pub fn quicknet() -> Self {
        Self {
            public_key: bounded(&QUICKNET_KEY),
            period: 3,
            genesis_time: 1_692_803_367,
            hash: bounded(&QUICKNET_HASH),
            group_hash: bounded(&QUICKNET_GROUP),
            scheme_id: bounded(SCHEME),
            metadata: Metadata {
                beacon_id: bounded(b"quicknet"),
            },
        }
    }

    /// The newest round whose time has come at `now`, in milliseconds since 1970; 0 before the first.
    pub fn round_at(&self, now: u64) -> RoundNumber {
        let start = u64::from(self.genesis_time);
        (now / 1_000)
            .checked_sub(start)
            .and_then(|passed| passed.checked_div(self.period.into()))
            .map_or(0, |rounds| rounds.saturating_add(1))
    }
}

/// How a beacon calls itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Metadata {
    /// Its name.
    pub beacon_id: BoundedHash,
}

/// A beacon that the genesis names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BeaconGenesis {
    /// Its public key: a compressed point of BLS12-381's G2, 96 bytes.
    pub public_key: Vec<u8>,
    /// Seconds per round, at least 1.
    pub period: u32,
    /// When round 1 is signed, in seconds since 1970.
    pub genesis_time: u32,
}

impl BeaconGenesis {
    /// The beacon, with hashes of its own.
    pub fn configuration(&self) -> BeaconConfiguration {
        let hash = bounded(&sha2_256(&self.public_key));
        BeaconConfiguration {
            public_key: bounded(&self.public_key),
            period: self.period,
            genesis_time: self.genesis_time,
            hash: hash.clone(),
            group_hash: hash,
            scheme_id: bounded(SCHEME),
            metadata: Metadata {
                beacon_id: bounded(b"local"),
            },
        }
    }
}

/// What a beacon says in a round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Pulse {
    /// The round.
    pub round: RoundNumber,
    /// SHA-256 of the signature.
    pub randomness: BoundedVec<u8, ConstU32<32>>,
    /// The beacon's signature of the round: a compressed point of BLS12-381's G1, 48 bytes.
    pub signature: BoundedVec<u8, ConstU32<144>>,
}

impl Pulse {
    /// A pulse with this signature.
    pub fn new(round: RoundNumber, signature: &[u8]) -> Self {
        Self {
            round,
            randomness: bounded(&sha2_256(signature)),
            signature: bounded(signature),
        }
    }
}

/// Pulses that somebody brings.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct PulsesPayload<Public, BlockNumber> {
    /// When they were fetched.
    pub block_number: BlockNumber,
    /// The pulses.
    pub pulses: Vec<Pulse>,
    /// Who brings them.
    pub public: Public,
}

/// A beacon that somebody proposes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct BeaconConfigurationPayload<Public, BlockNumber> {
    /// When it was proposed.
    pub block_number: BlockNumber,
    /// The beacon.
    pub config: BeaconConfiguration,
    /// Who proposes it.
    pub public: Public,
}

fn bounded<const N: u32>(bytes: &[u8]) -> BoundedVec<u8, ConstU32<N>> {
    BoundedVec::truncate_from(bytes.to_vec())
}

/// Reads 96 bytes in hexadecimal.
const fn hex96(text: &[u8; 192]) -> [u8; 96] {
    const fn digit(character: u8) -> u8 {
        match character {
            b'0'..=b'9' => character - b'0',
            _ => character - b'a' + 10,
        }
    }
    let mut bytes = [0; 96];
    let mut index = 0;
    while index < 96 {
        bytes[index] = digit(text[2 * index]) * 16 + digit(text[2 * index + 1]);
        index += 1;
    }
    bytes
}
