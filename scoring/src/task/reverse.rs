//! Repeat a sequence of letters backwards: 26^5 to 26^7 items, 1.2 x 10^7 at least.

use rand::Rng;

use super::{by_position, letters, spaced, verb};

pub(super) fn generate(rng: &mut impl Rng) -> (String, String) {
    let count = rng.random_range(5..=7);
    let sequence = letters(rng, count);
    let question = format!(
        "{} {}",
        verb(rng, &["reverse", "backwards"]),
        spaced(&sequence)
    );
    (question, spaced(sequence.iter().rev()))
}

/// Partial credit by position.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    by_position(expected, answer)
}
