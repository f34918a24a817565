//! Repeat a sequence of letters: 26^6 to 26^8 items, 3 x 10^8 at least.

use rand::Rng;

use super::{by_position, letters, spaced, verb};

pub(super) fn generate(rng: &mut impl Rng) -> (String, String) {
    let count = rng.random_range(6..=8);
    let sequence = spaced(letters(rng, count));
    (
        format!("{} {sequence}", verb(rng, &["copy", "repeat"])),
        sequence,
    )
}

/// Partial credit by position.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    by_position(expected, answer)
}
