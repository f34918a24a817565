//! Copy a sequence of letters with one letter, which it has twice, exchanged for another: 650 pairs, n(n-1)/2 places and
//! 25^(n-2) other letters, 10^8 questions for n = 5 letters.

use super::{Digits, by_position, power, spaced};

pub(super) const WORDINGS: [&str; 4] = ["change", "replace", "swap", "substitute"];

pub(super) fn space(length: u32) -> u128 {
    let places = u128::from(length) * u128::from(length - 1) / 2;
    (650 * places).saturating_mul(power(25, length - 2))
}

pub(super) fn nth(wording: &str, length: u32, digits: &mut Digits) -> (String, String) {
    let pair = digits.distinct_letters(2);
    let (old, new) = (pair[0], pair[1]);
    let (first, second) = digits.two_places(length);
    let sequence: Vec<char> = (0..length)
        .map(|at| {
            if at == first || at == second {
                old
            } else {
                // The 25 letters that are not the old one.
                digits.letter_but(old)
            }
        })
        .collect();
    (
        format!("{wording} {old} to {new} in {}", spaced(&sequence)),
        spaced(sequence.iter().map(|&c| if c == old { new } else { c })),
    )
}

/// A copy with two places, any two, exchanged.
pub(super) fn chance(length: u32) -> f64 {
    2.0 / (f64::from(length) * f64::from(length - 1))
}

/// Partial credit by position, so an unedited copy earns something but never 1.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    by_position(expected, answer)
}
