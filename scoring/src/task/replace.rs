//! Copy a sequence of letters with one letter exchanged for another: 26 targets and 26^5 to 26^7 sequences, 3 x 10^8 at least.

use rand::Rng;

use super::{by_position, distinct_letters, letters, spaced, verb};

pub(super) fn generate(rng: &mut impl Rng) -> (String, String) {
    let count = rng.random_range(5..=7);
    let pair = distinct_letters(rng, 2);
    let (old, new) = (pair[0], pair[1]);
    let mut sequence = letters(rng, count);
    // At least one place to edit, often two.
    for _ in 0..2 {
        let at = rng.random_range(0..count);
        sequence[at] = old;
    }
    let question = format!(
        "{} {old} to {new} in {}",
        verb(rng, &["change", "replace"]),
        spaced(&sequence)
    );
    (
        question,
        spaced(sequence.iter().map(|&c| if c == old { new } else { c })),
    )
}

/// Partial credit by position, so an unedited copy earns something but never 1.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    by_position(expected, answer)
}
