//! Give each letter's successor in the alphabet: 25^6 to 25^8 items, 2 x 10^8 at least.

use rand::Rng;

use super::{by_position, spaced, verb};

pub(super) fn generate(rng: &mut impl Rng) -> (String, String) {
    let count = rng.random_range(6..=8);
    let letters: Vec<u8> = (0..count).map(|_| rng.random_range(b'a'..=b'y')).collect();
    let question = format!(
        "{} {}",
        verb(rng, &["next", "after"]),
        spaced(letters.iter().map(|&code| char::from(code)))
    );
    (
        question,
        spaced(letters.iter().map(|&code| char::from(code + 1))),
    )
}

/// Partial credit by position.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    by_position(expected, answer)
}
