//! Add digits pair by pair, each sum at most nine: 55^n questions for n pairs, 9 x 10^6 at n = 4.

use super::{Digits, by_position, pairs, power, spaced};

pub(super) const WORDINGS: [&str; 4] = ["add", "plus", "sum", "total"];

pub(super) fn space(length: u32) -> u128 {
    power(55, length)
}

pub(super) fn nth(wording: &str, length: u32, digits: &mut Digits) -> (String, String) {
    let terms: Vec<(u8, u8)> = (0..length).map(|_| pair(digits.take(55))).collect();
    (
        format!("{wording} {}", pairs(&terms)),
        spaced(terms.iter().map(|(a, b)| a + b)),
    )
}

/// The pairs in order of the first digit: 10 with a 0, 9 with a 1, down to one with a 9.
fn pair(mut index: u8) -> (u8, u8) {
    let mut first = 0;
    while index >= 10 - first {
        index -= 10 - first;
        first += 1;
    }
    (first, index)
}

/// Always nine, the likeliest sum: 10 of 55 pairs.
pub(super) fn chance(length: u32) -> f64 {
    (10.0_f64 / 55.0).powf(length.into())
}

/// Partial credit by position.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    by_position(expected, answer)
}
