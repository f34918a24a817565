//! Fixed point rounds as the chain's does.

use super::{Divisor, Fixed, normalise};

const ONE: i64 = 1 << 32;

#[test]
fn products_round_down_and_saturate() {
    let check = |a, b, product| {
        let actual = Fixed::from_bits(a) * Fixed::from_bits(b);
        assert_eq!(actual, Fixed::from_bits(product), "{a} * {b}");
    };
    check(ONE, ONE, ONE);
    check(3, ONE / 2, 1);
    check(-3, ONE / 2, -2);
    check(-1, 1, -1);
    check(i64::MAX, 2 * ONE, i64::MAX);
    check(i64::MIN, 2 * ONE, i64::MIN);
    check(i64::MIN, i64::MIN, i64::MAX);
}

#[test]
fn quotients_round_towards_zero_and_are_0_where_there_is_none() {
    let check = |a, b, quotient| {
        let actual = Fixed::from_bits(a) / Fixed::from_bits(b);
        assert_eq!(actual, Fixed::from_bits(quotient), "{a} / {b}");
        let actual = Divisor::new(Fixed::from_bits(b)).divide(Fixed::from_bits(a));
        assert_eq!(
            actual,
            Fixed::from_bits(quotient),
            "{a} / {b} by reciprocal"
        );
    };
    check(ONE, 3 * ONE, ONE / 3);
    check(-ONE, 3 * ONE, -(ONE / 3));
    check(ONE, -3 * ONE, -(ONE / 3));
    check(ONE, ONE, ONE);
    check(5, 0, 0);
    check(0, 0, 0);
    check(ONE - 1, 1, 0);
    check(i64::MAX, 1, 0);
    check(i64::MIN, -1, 0);
    check(ONE / 2 - 1, 1, (ONE / 2 - 1) * ONE);
}

#[test]
fn reciprocals_divide_as_division_does() {
    let numbers = || {
        (0..63).flat_map(|bit| {
            let power = 1_i64 << bit;
            [power - 1, power, power + 1, power + power / 3]
        })
    };
    for divisor in numbers() {
        let by = Divisor::new(Fixed::from_bits(divisor));
        let near_multiples = (1..1_000).map(|factor| divisor.saturating_mul(factor) / ONE);
        for dividend in numbers().chain(near_multiples) {
            for dividend in [dividend - 1, dividend, dividend.saturating_add(1)] {
                let dividend = Fixed::from_bits(dividend);
                let quotient = dividend / Fixed::from_bits(divisor);
                assert_eq!(by.divide(dividend), quotient, "{dividend:?} / {divisor}");
            }
        }
    }
}

#[test]
fn shares_are_rounded_down_both_ways() {
    for share in 0..=u16::MAX {
        let fixed = Fixed::from_share(share);
        assert_eq!(fixed.bits(), (i64::from(share) << 32) / 65_535);
        assert_eq!(
            fixed.to_share(),
            share.saturating_sub(u16::from(share % 65_535 != 0))
        );
    }
    assert_eq!(Fixed::from_bits(-1).to_share(), 0);
    assert_eq!(Fixed::from_bits(2 * ONE).to_share(), 65_535);
    assert_eq!(Fixed::from_bits(i64::MAX).to_share(), 65_535);
    assert_eq!(Fixed::from_bits(i64::MIN).to_share(), 0);
}

#[test]
fn numbers_without_a_sum_stay_as_they_are() {
    let mut numbers = [0, 0].map(Fixed::from_bits);
    normalise(&mut numbers);
    assert_eq!(numbers, [0, 0].map(Fixed::from_bits));
    let mut numbers = [ONE, 3 * ONE].map(Fixed::from_bits);
    normalise(&mut numbers);
    assert_eq!(numbers, [ONE / 4, 3 * ONE / 4].map(Fixed::from_bits));
}
