//! Names for the things that cross a function: UIDs, hotkeys, digests, blocks, epochs.

use std::{fmt, str::FromStr};

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sp_core::crypto::{AccountId32, Ss58AddressFormat, Ss58Codec};
use thiserror::Error;

/// SS58 address format of Bittensor accounts (the generic Substrate format).
pub const SS58_FORMAT: u16 = 42;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

number!(
    /// A neuron's slot in a subnet. Recycled on deregistration: never a key for anything that lasts.
    Uid(u16)
);
number!(
    /// A subnet's number on the chain.
    NetUid(u16)
);
number!(
    /// Height of a block.
    BlockNumber(u32)
);
number!(
    /// Index of an epoch of a subnet (`SubnetEpochIndex` on chain).
    Epoch(u64)
);
number!(
    /// Index of a validator's round of asks; one round is one epoch's worth of asks.
    Round(u64)
);

/// A hotkey's sr25519 public key: the account that serves, scores and is paid.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
)]
pub struct Hotkey(pub [u8; 32]);

/// The text is not an SS58 address of an account.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{text}` is not an SS58 account address (they start with 5 and have 47 or 48 characters)")]
pub struct ParseHotkeyError {
    /// What was given.
    pub text: String,
}

impl Hotkey {
    /// The SS58 address (format 42).
    pub fn to_ss58(&self) -> String {
        AccountId32::new(self.0).to_ss58check_with_version(Ss58AddressFormat::custom(SS58_FORMAT))
    }
}

impl fmt::Display for Hotkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_ss58())
    }
}

impl fmt::Debug for Hotkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hotkey {
    type Err = ParseHotkeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        AccountId32::from_ss58check(text)
            .map(|account| Self(account.into()))
            .map_err(|_| ParseHotkeyError {
                text: text.to_owned(),
            })
    }
}

/// A hotkey in one of its registrations: a recycled UID or a new registration is another account.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    Serialize,
    Deserialize,
)]
pub struct Account {
    /// Who.
    pub hotkey: Hotkey,
    /// Block of the registration.
    pub registered_at: BlockNumber,
}

impl Serialize for Hotkey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_ss58())
    }
}

impl<'de> Deserialize<'de> for Hotkey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A blake3 hash of 32 bytes: of a manifest, a blob, a request, a spec.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
)]
pub struct Digest(pub [u8; 32]);

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{text}` is not a digest (64 hexadecimal digits)")]
pub struct ParseDigestError {
    /// What was given.
    pub text: String,
}

impl Digest {
    /// The blake3 hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The first eight hexadecimal digits, for tables and logs.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..4])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes).map_err(
            |_| ParseDigestError {
                text: text.to_owned(),
            },
        )?;
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
