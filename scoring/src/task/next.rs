//! Give each letter's successor in the alphabet: 25^n questions for n letters, 2 x 10^8 at n = 6.

use super::{Digits, by_position, power, spaced};

pub(super) const WORDINGS: [&str; 4] = ["next", "after", "following", "successor"];

pub(super) fn space(length: u32) -> u128 {
    power(25, length)
}

pub(super) fn nth(wording: &str, length: u32, digits: &mut Digits) -> (String, String) {
    let letters: Vec<u8> = (0..length).map(|_| b'a' + digits.take(25)).collect();
    (
        format!(
            "{wording} {}",
            spaced(letters.iter().copied().map(char::from))
        ),
        spaced(letters.iter().map(|code| char::from(code + 1))),
    )
}

/// Any letters but the first of the alphabet.
pub(super) fn chance(length: u32) -> f64 {
    25_f64.powf(-f64::from(length))
}

/// Partial credit by position.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    by_position(expected, answer)
}
