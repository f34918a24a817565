//! Raise e to a power, with the errors of the series that the chain uses.

use crate::fixed::Fixed;

/// Exponents are limited to this many times one in either direction.
const LIMIT: i64 = 20 << 32;

/// What the chain returns for an exponent of exactly 1: e with 23 fraction bits.
const E: Fixed = Fixed::from_bits(22_802_600 << 9);

/// Reciprocal of one index of the series: `floor(t / i) = (t * factor) >> (64 + shift)` for every `t` below 2^63.
#[derive(Clone, Copy)]
struct Reciprocal {
    factor: u64,
    shift: u32,
}

/// Reciprocals of 2 to 31.
const RECIPROCALS: [Reciprocal; 30] = {
    let mut table = [Reciprocal {
        factor: 0,
        shift: 0,
    }; 30];
    let mut index = 0;
    while index < table.len() {
        let divisor = index as u128 + 2;
        // With 2^bits >= divisor, floor(2^(63 + bits) / divisor) + 1 divides every 63-bit number exactly
        // (Granlund and Montgomery 1994, theorem 4.2) and fits 64 bits.
        let bits = divisor.next_power_of_two().trailing_zeros();
        table[index] = Reciprocal {
            factor: ((1_u128 << (63 + bits)) / divisor + 1) as u64,
            shift: bits - 1,
        };
        index += 1;
    }
    table
};

/// e to the power `exponent`: 31 terms of the Taylor series at the exponent's magnitude, each rounded down, and the
/// reciprocal of that for a negative exponent.
pub(crate) fn exp(exponent: Fixed) -> Fixed {
    let exponent = exponent.bits().clamp(-LIMIT, LIMIT);
    if exponent == Fixed::ONE.bits() {
        return E;
    }
    let magnitude = exponent.unsigned_abs();
    let mut sum = Fixed::ONE.bits() as u64 + magnitude;
    let mut term = magnitude;
    for Reciprocal { factor, shift } in RECIPROCALS {
        // The largest term, 20^20 / 20!, takes 58 bits, and its product with 20 another 5.
        term = ((u128::from(term) * u128::from(magnitude)) >> 32) as u64;
        term = ((u128::from(term) * u128::from(factor)) >> 64) as u64 >> shift;
        if term == 0 {
            break;
        }
        sum += term;
    }
    let result = if exponent < 0 {
        ((1_u128 << 64) / u128::from(sum)) as u64
    } else {
        sum
    };
    Fixed::from_bits(result as i64)
}

#[cfg(test)]
mod tests;
