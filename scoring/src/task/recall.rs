//! Say which digit belongs to a letter of a list that stands some text before the question: 26!/(26-n)! lists of letters,
//! 10^n of digits and n letters to ask for, 1.4 x 10^10 questions for n = 4 letters, whatever the text between.

use super::{Digits, exactly, power, selections};

pub(super) const WORDINGS: [&str; 4] = ["recall", "find", "lookup", "fetch"];

pub(super) fn space(length: u32) -> u128 {
    (u128::from(length) * selections(26, length)).saturating_mul(power(10, length))
}

/// `between` is the text between list and question.
pub(super) fn nth(
    wording: &str,
    length: u32,
    between: &str,
    digits: &mut Digits,
) -> (String, String) {
    let keys = digits.distinct_letters(length);
    let values: Vec<u8> = (0..length).map(|_| digits.take(10)).collect();
    let asked = usize::from(digits.take(length as u8));
    let list = keys
        .iter()
        .zip(&values)
        .map(|(key, value)| format!("{key} {value}"))
        .collect::<Vec<_>>()
        .join(" ,");
    let gap = if between.is_empty() { "" } else { "\n" };
    (
        format!("keep {list}\n{between}{gap}Q: {wording} {}", keys[asked]),
        values[asked].to_string(),
    )
}

/// Any digit of the list.
pub(super) fn chance(length: u32) -> f64 {
    let length = f64::from(length);
    (1.0 + (length - 1.0) / 10.0) / length
}

/// All or nothing: it is one word.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    exactly(expected, answer)
}
