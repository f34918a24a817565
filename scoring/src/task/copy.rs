//! Repeat a sequence of letters: 26^n questions for n letters, 3 x 10^8 at n = 6.

use super::{Digits, by_position, power, spaced};

pub(super) const WORDINGS: [&str; 4] = ["copy", "repeat", "echo", "write"];

pub(super) fn space(length: u32) -> u128 {
    power(26, length)
}

pub(super) fn nth(wording: &str, length: u32, digits: &mut Digits) -> (String, String) {
    let sequence = spaced(digits.letters(length));
    (format!("{wording} {sequence}"), sequence)
}

/// Any letters.
pub(super) fn chance(length: u32) -> f64 {
    26_f64.powf(-f64::from(length))
}

/// Partial credit by position.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    by_position(expected, answer)
}
