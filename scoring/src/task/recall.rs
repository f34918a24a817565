//! Look up the values of three keys, asked in an order of their own, among distractors: five or six different letters
//! with a digit each, more than 10^12 items.

use rand::Rng;

use super::{by_position, distinct_letters, spaced, verb};

/// Keys asked for.
const ASKED: usize = 3;

pub(super) fn generate(rng: &mut impl Rng) -> (String, String) {
    let count = rng.random_range(5..=6);
    let keys = distinct_letters(rng, count);
    let values: Vec<u8> = keys.iter().map(|_| rng.random_range(0..10)).collect();
    let table = spaced(
        keys.iter()
            .zip(&values)
            .map(|(key, value)| format!("{key} {value}")),
    );
    let asked = rand::seq::index::sample(rng, count, ASKED).into_vec();
    let question = format!(
        "in {table} {} {}",
        verb(rng, &["get", "find"]),
        spaced(asked.iter().map(|&at| keys[at]))
    );
    (question, spaced(asked.iter().map(|&at| values[at])))
}

/// Partial credit by position.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    by_position(expected, answer)
}
