//! Repeat a sequence of letters backwards: 26^n questions for n letters, 1.2 x 10^7 at n = 5.

use super::{Digits, by_position, orders, power, spaced};

pub(super) const WORDINGS: [&str; 4] = ["reverse", "backwards", "flip", "invert"];

pub(super) fn space(length: u32) -> u128 {
    power(26, length)
}

pub(super) fn nth(wording: &str, length: u32, digits: &mut Digits) -> (String, String) {
    let sequence = digits.letters(length);
    (
        format!("{wording} {}", spaced(&sequence)),
        spaced(sequence.iter().rev()),
    )
}

/// The letters of the question in any order.
pub(super) fn chance(length: u32) -> f64 {
    1.0 / orders(length)
}

/// Partial credit by position.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    by_position(expected, answer)
}
