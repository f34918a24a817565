//! Evaluate truth values pair by pair (`t and f`, `f or t`, `t xor t`): 12^n questions for n clauses, 3.6 x 10^7 at n = 7.

use super::{Digits, exactly, power, spaced};

pub(super) const WORDINGS: [&str; 4] = ["logic", "truth", "boolean", "evaluate"];

type Operator = (&'static str, fn(bool, bool) -> bool);

/// The operators and what they do; all symmetric, so that no order of reading matters.
const OPERATORS: [Operator; 3] = [
    ("and", |a, b| a && b),
    ("or", |a, b| a || b),
    ("xor", |a, b| a != b),
];

pub(super) fn space(length: u32) -> u128 {
    power(12, length)
}

pub(super) fn nth(wording: &str, length: u32, digits: &mut Digits) -> (String, String) {
    let mut clauses = Vec::new();
    let mut answers = Vec::new();
    for _ in 0..length {
        let (a, b) = (digits.take(2) == 1, digits.take(2) == 1);
        let (name, apply) = OPERATORS[usize::from(digits.take(3))];
        clauses.push(format!("{} {name} {}", word(a), word(b)));
        answers.push(word(apply(a, b)));
    }
    (format!("{wording} {}", clauses.join(" ,")), spaced(answers))
}

/// What each operator gives most often, whatever it is applied to: right for 3 of 4 `and`, 3 of 4 `or`, half of the `xor`.
pub(super) fn chance(length: u32) -> f64 {
    (2.0_f64 / 3.0).powf(length.into())
}

/// All or nothing: half of the truth values are right by chance.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    exactly(expected, answer)
}

fn word(value: bool) -> &'static str {
    if value { "t" } else { "f" }
}
