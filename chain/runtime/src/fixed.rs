//! The fixed-point number that stake shares are stored in.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_runtime::{Rounding, helpers_128bit::multiply_by_rational_with_rounding};

/// An unsigned number with 64 fractional bits, encoded as on Bittensor: `{ bits: u128 }`.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct U64F64 {
    /// The value times 2^64.
    pub bits: u128,
}

impl U64F64 {
    /// Zero.
    pub const ZERO: Self = Self { bits: 0 };

    /// A whole number.
    pub const fn from_int(value: u64) -> Self {
        Self {
            bits: (value as u128) << 64,
        }
    }

    /// `self * numerator / denominator`, rounded down and saturated; zero for a zero denominator.
    pub fn scale(self, numerator: u128, denominator: u128) -> Self {
        if denominator == 0 {
            return Self::ZERO;
        }
        let bits =
            multiply_by_rational_with_rounding(self.bits, numerator, denominator, Rounding::Down)
                .unwrap_or(u128::MAX);
        Self { bits }
    }

    /// The whole part.
    pub const fn to_int(self) -> u64 {
        (self.bits >> 64) as u64
    }

    /// The sum, saturated.
    pub fn saturating_add(self, other: Self) -> Self {
        Self {
            bits: self.bits.saturating_add(other.bits),
        }
    }

    /// The difference, or zero.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self {
            bits: self.bits.saturating_sub(other.bits),
        }
    }
}

/// A signed number with 32 fractional bits, encoded as on Bittensor: `{ bits: i128 }`.
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
    TypeInfo,
)]
pub struct I96F32 {
    /// The value times 2^32.
    pub bits: i128,
}

impl I96F32 {
    /// One: what an alpha costs in TAO.
    pub const ONE: Self = Self { bits: 1 << 32 };
}

/// A signed number with 64 fractional bits, encoded as on Bittensor: `{ bits: i128 }`.
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
    TypeInfo,
)]
pub struct I64F64 {
    /// The value times 2^64.
    pub bits: i128,
}

/// A signed number with 32 fractional bits, encoded as on Bittensor: `{ bits: i64 }`.
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
    TypeInfo,
)]
pub struct I32F32 {
    /// The value times 2^32.
    pub bits: i64,
}

impl I32F32 {
    /// A whole number.
    pub const fn from_int(value: i16) -> Self {
        Self {
            bits: (value as i64) << 32,
        }
    }
}
