//! Pick the larger digit of each pair: 90^n questions for n pairs, 6 x 10^7 at n = 4.

use super::{Digits, by_position, pairs, power, spaced};

pub(super) const WORDINGS: [&str; 4] = ["larger", "max", "bigger", "greater"];

pub(super) fn space(length: u32) -> u128 {
    power(90, length)
}

pub(super) fn nth(wording: &str, length: u32, digits: &mut Digits) -> (String, String) {
    let terms: Vec<(u8, u8)> = (0..length)
        .map(|_| {
            let first = digits.take(10);
            (first, (first + 1 + digits.take(9)) % 10)
        })
        .collect();
    (
        format!("{wording} {}", pairs(&terms)),
        spaced(terms.iter().map(|(a, b)| a.max(b))),
    )
}

/// One of the two digits of each pair.
pub(super) fn chance(length: u32) -> f64 {
    0.5_f64.powf(length.into())
}

/// Partial credit by position.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    by_position(expected, answer)
}
