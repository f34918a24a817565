//! Calculate in I32F32, the chain's fixed point.
//!
//! A value is an `i64` count of 2^-32. The rounding is that of the `substrate-fixed` crate as the chain uses it:
//! products round towards negative infinity, quotients towards zero, overflow saturates, and a quotient that does not
//! exist is 0.

use core::iter::Sum;
use core::ops::{Add, Div, Mul, Sub};

/// Fraction bits.
const FRACTION: u32 = 32;

/// A number with 31 integer and 32 fraction bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Fixed(i64);

impl Fixed {
    /// 0.
    pub(crate) const ZERO: Self = Self(0);
    /// 1.
    pub(crate) const ONE: Self = Self(1 << FRACTION);

    /// The number of this many 2^-32.
    pub(crate) const fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    /// This number as a count of 2^-32.
    pub(crate) const fn bits(self) -> i64 {
        self.0
    }

    /// A `u16` as the share of 65535 that it stands for, rounded down: `floor(k * 2^32 / 65535)`.
    pub(crate) fn from_share(share: u16) -> Self {
        // 2^32 = 65535 * 65537 + 1, so the quotient needs no division.
        let share = i64::from(share);
        Self(share * 65_537 + i64::from(share == 65_535))
    }

    /// This number as a share of 65535, rounded down and limited to `u16`.
    pub(crate) fn to_share(self) -> u16 {
        let scaled = self.0.saturating_mul(65_535) >> FRACTION;
        scaled.clamp(0, 65_535) as u16
    }

    /// The quotient of two non-negative integers of up to 31 bits more than the other, 0 if there is none:
    /// `floor(dividend * 2^32 / divisor)`.
    pub(crate) fn from_ratio(dividend: u32, divisor: u64) -> Self {
        match (u64::from(dividend) << FRACTION).checked_div(divisor) {
            Some(quotient) => Self(i64::try_from(quotient).unwrap_or(0)),
            None => Self::ZERO,
        }
    }

    /// This number, but no less than `low` and, unless that contradicts it, no more than `high`.
    pub(crate) fn clamp_to(self, low: Self, high: Self) -> Self {
        self.min(high).max(low)
    }
}

impl Add for Fixed {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Fixed {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Fixed {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        numbers.fold(Self::ZERO, Add::add)
    }
}

impl Mul for Fixed {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let product = (i128::from(self.0) * i128::from(other.0)) >> FRACTION;
        Self(product.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }
}

impl Div for Fixed {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        // Shares of a whole: one machine division where the general one takes ten times as long.
        if let (Ok(dividend), Ok(divisor)) = (u32::try_from(self.0), u64::try_from(other.0)) {
            return Self::from_ratio(dividend, divisor);
        }
        Self(wide_ratio(self.0, other.0).unwrap_or(0))
    }
}

/// `dividend * 2^32 / divisor`, if it exists.
fn wide_ratio(dividend: i64, divisor: i64) -> Option<i64> {
    let quotient = (i128::from(dividend) << FRACTION).checked_div(divisor.into())?;
    i64::try_from(quotient).ok()
}

/// Divides numbers by their sum; leaves them as they are when it is 0.
pub(crate) fn normalise(numbers: &mut [Fixed]) {
    let sum: Fixed = numbers.iter().copied().sum();
    if sum != Fixed::ZERO {
        for number in numbers {
            *number = *number / sum;
        }
    }
}

#[cfg(test)]
mod tests;
