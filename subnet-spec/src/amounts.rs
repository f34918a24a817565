//! Money in the chain's smallest unit.

use std::fmt;

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use serde::{Deserialize, Serialize};

/// An amount of TAO or alpha in rao: 10^9 rao are one TAO.
#[derive(
    Clone,
    Copy,
    Debug,
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
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct Rao(pub u64);

impl Rao {
    /// Rao in one TAO.
    pub const PER_TAO: u64 = 1_000_000_000;

    /// Whole TAO as rao, saturating at the largest amount.
    pub const fn from_tao(tao: u64) -> Self {
        Self(tao.saturating_mul(Self::PER_TAO))
    }
}

impl fmt::Display for Rao {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:09}",
            self.0 / Self::PER_TAO,
            self.0 % Self::PER_TAO
        )
    }
}
