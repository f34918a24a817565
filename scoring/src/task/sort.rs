//! Put different letters into alphabetical order: 26!/(26-n)! questions for n of 5 to 7, 7.9 x 10^6 at least.

use rand::Rng;

use super::{by_position, distinct_letters, spaced, verb};

pub(super) fn generate(rng: &mut impl Rng) -> (String, String) {
    let count = rng.random_range(5..=7);
    let mut sequence = distinct_letters(rng, count);
    let question = format!("{} {}", verb(rng, &["sort", "order"]), spaced(&sequence));
    sequence.sort_unstable();
    (question, spaced(sequence))
}

/// Partial credit by position.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    by_position(expected, answer)
}
