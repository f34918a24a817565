//! Set small tasks whose answers a program can check.
//!
//! Every item is one line of question and one of answer, `"Q: sort d a c b\nA:"` and `"a b c d"`: short enough for a model
//! of a million parameters, drawn from spaces so large that two rounds realistically never share an item (each family
//! states its own). A verb has paraphrases, so that an answer needs the meaning and not one fixed prompt.

mod add;
mod copy;
mod larger;
mod logic;
mod next;
mod replace;
mod reverse;
mod sort;

use rand::{Rng, seq::IndexedRandom};

/// A kind of task, with its own generator and grader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Repeat a sequence of letters.
    Copy,
    /// Repeat a sequence of letters backwards.
    Reverse,
    /// Put letters into alphabetical order.
    Sort,
    /// Add digits pair by pair.
    Add,
    /// Give each letter's successor in the alphabet.
    Next,
    /// Pick the larger digit of each pair.
    Larger,
    /// Evaluate truth values pair by pair.
    Logic,
    /// Copy a sequence with one letter exchanged for another.
    Replace,
}

impl Family {
    /// All families, in a fixed order.
    pub const ALL: [Family; 8] = [
        Family::Copy,
        Family::Reverse,
        Family::Sort,
        Family::Add,
        Family::Next,
        Family::Larger,
        Family::Logic,
        Family::Replace,
    ];

    /// The family's name in reports, lower case.
    pub fn name(self) -> &'static str {
        match self {
            Family::Copy => "copy",
            Family::Reverse => "reverse",
            Family::Sort => "sort",
            Family::Add => "add",
            Family::Next => "next",
            Family::Larger => "larger",
            Family::Logic => "logic",
            Family::Replace => "replace",
        }
    }
}

/// One question with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The family that the item belongs to.
    pub family: Family,
    /// What the model is given, `"Q: ...\nA:"`.
    pub prompt: String,
    /// What it should answer, without the leading space that separates it from the prompt.
    pub expected: String,
}

impl Item {
    /// The answer as it follows the prompt, with its leading space and without the end-of-sequence token.
    pub fn completion(&self) -> String {
        format!(" {}", self.expected)
    }
}

/// Draws one item of a family.
pub fn generate(family: Family, rng: &mut impl Rng) -> Item {
    let (question, expected) = match family {
        Family::Copy => copy::generate(rng),
        Family::Reverse => reverse::generate(rng),
        Family::Sort => sort::generate(rng),
        Family::Add => add::generate(rng),
        Family::Next => next::generate(rng),
        Family::Larger => larger::generate(rng),
        Family::Logic => logic::generate(rng),
        Family::Replace => replace::generate(rng),
    };
    Item {
        family,
        prompt: format!("Q: {question}\nA:"),
        expected,
    }
}

/// Grades an answer in [0, 1]; exactly the expected words in their order give 1.
pub fn grade(item: &Item, answer: &str) -> f64 {
    match item.family {
        Family::Copy => copy::grade(&item.expected, answer),
        Family::Reverse => reverse::grade(&item.expected, answer),
        Family::Sort => sort::grade(&item.expected, answer),
        Family::Add => add::grade(&item.expected, answer),
        Family::Next => next::grade(&item.expected, answer),
        Family::Larger => larger::grade(&item.expected, answer),
        Family::Logic => logic::grade(&item.expected, answer),
        Family::Replace => replace::grade(&item.expected, answer),
    }
}

/// The share of positions at which the words agree; the longer of the two counts, so padding and cutting both cost.
fn by_position(expected: &str, answer: &str) -> f64 {
    let length = expected
        .split_whitespace()
        .count()
        .max(answer.split_whitespace().count());
    let same = expected
        .split_whitespace()
        .zip(answer.split_whitespace())
        .filter(|(a, b)| a == b)
        .count();
    if length == 0 {
        1.0
    } else {
        same as f64 / length as f64
    }
}

/// 1 for the same words in the same order, else 0.
fn exactly(expected: &str, answer: &str) -> f64 {
    f64::from(u8::from(
        expected.split_whitespace().eq(answer.split_whitespace()),
    ))
}

fn letter(rng: &mut impl Rng) -> char {
    char::from(rng.random_range(b'a'..=b'z'))
}

fn letters(rng: &mut impl Rng, count: usize) -> Vec<char> {
    (0..count).map(|_| letter(rng)).collect()
}

/// `count` different letters in random order.
fn distinct_letters(rng: &mut impl Rng, count: usize) -> Vec<char> {
    rand::seq::index::sample(rng, 26, count)
        .into_iter()
        .map(|at| char::from(b'a' + at as u8))
        .collect()
}

fn spaced(items: impl IntoIterator<Item = impl ToString>) -> String {
    items
        .into_iter()
        .map(|item| item.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

/// One of several ways to say the same.
fn verb(rng: &mut impl Rng, paraphrases: &[&'static str]) -> &'static str {
    paraphrases.choose(rng).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
