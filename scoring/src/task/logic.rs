//! Evaluate truth values pair by pair (`t and f`, `f or t`, `t xor t`): 12 clauses, so 12^7 or 12^8 items, 3.6 x 10^7 at least.

use rand::{Rng, seq::IndexedRandom};

use super::{exactly, spaced, verb};

type Operator = (&'static str, fn(bool, bool) -> bool);

/// The operators and what they do; all symmetric, so that no order of reading matters.
const OPERATORS: [Operator; 3] = [
    ("and", |a, b| a && b),
    ("or", |a, b| a || b),
    ("xor", |a, b| a != b),
];

pub(super) fn generate(rng: &mut impl Rng) -> (String, String) {
    let count = rng.random_range(7..=8);
    let mut clauses = Vec::with_capacity(count);
    let mut answers = Vec::with_capacity(count);
    for _ in 0..count {
        let (a, b) = (rng.random::<bool>(), rng.random::<bool>());
        if let Some((name, apply)) = OPERATORS.choose(rng) {
            clauses.push(format!("{} {name} {}", word(a), word(b)));
            answers.push(word(apply(a, b)));
        }
    }
    (
        format!("{} {}", verb(rng, &["logic", "truth"]), clauses.join(" ,")),
        spaced(answers),
    )
}

/// All or nothing: half of the truth values are right by chance.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    exactly(expected, answer)
}

fn word(value: bool) -> &'static str {
    if value { "t" } else { "f" }
}
