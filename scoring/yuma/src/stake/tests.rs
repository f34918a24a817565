//! Stake is added up and shared out without losing a bit.

use super::{MAX, divide, from_rao, tao_weight, weigh};
use crate::fixed::Fixed;

#[test]
fn stake_saturates_at_2_to_the_63() {
    assert_eq!(from_rao((1 << 63) - 1), ((1 << 63) - 1) << 64);
    assert_eq!(from_rao(1 << 63), MAX);
    assert_eq!(from_rao(u64::MAX), MAX);
}

#[test]
fn root_stake_keeps_32_bits_of_its_weight() {
    assert_eq!(tao_weight(u64::MAX), 1 << 32);
    assert_eq!(tao_weight(u64::MAX / 4), (1 << 30) - 1);
    assert_eq!(weigh(4, 1 << 30), 1 << 64);
    assert_eq!(weigh(3, 1), 3 << 32);
    assert_eq!(weigh(u64::MAX, 1 << 32), MAX);
    assert_eq!(weigh(u64::MAX, 0), 0);
    // floor((2^127 - 1) / 2^32).
    assert_eq!(weigh(u64::MAX, 1), (1 << 95) - 1);
}

#[test]
fn shares_are_exact_for_any_width() {
    let check = |part, whole, share| {
        assert_eq!(
            divide(part, whole),
            Fixed::from_bits(share),
            "{part} / {whole}"
        );
    };
    check(0, 0, 0);
    check(1, 3, (1 << 32) / 3);
    check(MAX, MAX, 1 << 32);
    check(MAX - 1, MAX, (1 << 32) - 1);
    check(1 << 126, MAX, 1 << 31);
    check(1 << 100, 3 << 100, (1 << 32) / 3);
    for seed in [1_u128, 77, 123_456_789] {
        // The narrow and the wide way agree where both apply.
        let (part, whole) = (seed * 1_000_003, seed * 1_000_003 + 987_654_321);
        assert_eq!(divide(part, whole), divide(part << 70, whole << 70));
    }
}
