//! Put different letters into alphabetical order: 26!/(26-n)! questions for n letters, 7.9 x 10^6 at n = 5.

use super::{Digits, by_position, orders, selections, spaced};

pub(super) const WORDINGS: [&str; 4] = ["sort", "order", "arrange", "alphabetize"];

pub(super) fn space(length: u32) -> u128 {
    selections(26, length)
}

pub(super) fn nth(wording: &str, length: u32, digits: &mut Digits) -> (String, String) {
    let mut sequence = digits.distinct_letters(length);
    let question = format!("{wording} {}", spaced(&sequence));
    sequence.sort_unstable();
    (question, spaced(sequence))
}

/// The letters of the question in any order.
pub(super) fn chance(length: u32) -> f64 {
    1.0 / orders(length)
}

/// Partial credit by position.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    by_position(expected, answer)
}
