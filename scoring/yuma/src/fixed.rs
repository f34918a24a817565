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
        Self(i64::try_from(product).unwrap_or(match product {
            ..0 => i64::MIN,
            0.. => i64::MAX,
        }))
    }
}

impl Div for Fixed {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        // Shares of a whole: one machine division where the general one takes ten times as long.
        let quotient = match (u32::try_from(self.0), u64::try_from(other.0)) {
            (Ok(dividend), Ok(divisor)) => (u64::from(dividend) << FRACTION)
                .checked_div(divisor)
                .and_then(|quotient| quotient.try_into().ok()),
            _ => (i128::from(self.0) << FRACTION)
                .checked_div(other.0.into())
                .and_then(|quotient| quotient.try_into().ok()),
        };
        Self(quotient.unwrap_or(0))
    }
}

/// A number to divide many others by: a multiplication takes the place of each division.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Divisor {
    divisor: Fixed,
    /// `floor(2^64 / divisor)` for a divisor above 1 unit, else 0.
    reciprocal: u64,
}

impl Divisor {
    /// The divisor with its reciprocal.
    pub(crate) fn new(divisor: Fixed) -> Self {
        let reciprocal = match u64::try_from(divisor.0) {
            Ok(units) if units > 1 => ((1_u128 << 64) / u128::from(units)) as u64,
            _ => 0,
        };
        Self {
            divisor,
            reciprocal,
        }
    }

    /// What `dividend / divisor` is.
    pub(crate) fn divide(self, dividend: Fixed) -> Fixed {
        let (Ok(share), 1..) = (u32::try_from(dividend.0), self.reciprocal) else {
            return dividend / self.divisor;
        };
        let scaled = u64::from(share) << FRACTION;
        let divisor = self.divisor.0 as u64;
        // The reciprocal is low by less than 1, so the quotient by less than scaled / 2^64, and rounded down by 1 at
        // most. It fits, for the divisor is 2 or more.
        let quotient = ((u128::from(scaled) * u128::from(self.reciprocal)) >> 64) as u64;
        let rest = scaled - quotient * divisor;
        Fixed((quotient + u64::from(rest >= divisor)) as i64)
    }
}

/// Divides numbers by their sum; leaves them as they are when it is 0.
pub(crate) fn normalise(numbers: &mut [Fixed]) {
    let sum: Fixed = numbers.iter().copied().sum();
    if sum != Fixed::ZERO {
        let sum = Divisor::new(sum);
        for number in numbers {
            *number = sum.divide(*number);
        }
    }
}

#[cfg(test)]
mod tests;
