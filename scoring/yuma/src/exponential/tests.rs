//! The exponential has the errors of the chain's series.

use super::{RECIPROCALS, exp};
use crate::fixed::Fixed;

const ONE: i64 = 1 << 32;

/// The series as written, with machine division.
fn series(exponent: i64) -> i64 {
    let magnitude = i128::from(exponent.clamp(-20 * ONE, 20 * ONE).abs());
    let mut sum = i128::from(ONE) + magnitude;
    let mut term = magnitude;
    for index in 2..=31 {
        term = ((term * magnitude) >> 32) / index;
        sum += term;
    }
    let result = match exponent {
        ..0 => (1 << 64) / sum,
        0.. => sum,
    };
    i64::try_from(result).expect("e^20 fits 31 bits")
}

#[test]
fn reciprocals_divide_every_term_exactly() {
    for (divisor, reciprocal) in (2_u64..).zip(RECIPROCALS) {
        let check = |term: u64| {
            let product = u128::from(term) * u128::from(reciprocal.factor);
            let quotient = (product >> 64) as u64 >> reciprocal.shift;
            assert_eq!(quotient, term / divisor, "{term} / {divisor}");
        };
        for multiple in [1, 2, 3, 1000, (1 << 40) + 7, ((1 << 63) - 1) / divisor] {
            check(multiple * divisor - 1);
            check(multiple * divisor);
        }
        check((1 << 63) - 1);
    }
}

#[test]
fn every_term_that_is_not_0_counts() {
    for step in -2_100..=2_100 {
        for offset in [-12_345, 0, 1, 987_654_321] {
            let exponent = step * (ONE / 100) + offset;
            if exponent != ONE {
                let actual = exp(Fixed::from_bits(exponent)).bits();
                assert_eq!(actual, series(exponent), "exponent {exponent}");
            }
        }
    }
}

#[test]
fn one_and_the_limits_are_special() {
    let check = |exponent, result| {
        let actual = exp(Fixed::from_bits(exponent)).bits();
        assert_eq!(actual, result, "exponent {exponent}");
    };
    check(0, ONE);
    check(ONE, 11_674_931_200);
    check(-ONE, series(-ONE));
    check(i64::MAX, series(20 * ONE));
    check(i64::MIN, series(-20 * ONE));
}
