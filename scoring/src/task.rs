//! Set small tasks whose answers a program can check.
//!
//! Every item is one line of question and one of answer, `"Q: sort d a c b\nA:"` and `"a b c d"`: short enough for a model
//! of a million parameters. A verb has paraphrases, so that an answer needs the meaning and not one fixed prompt; an item
//! may follow a worked example of another family, a distractor; how long its question is, and at what distance something
//! has to be recalled, are the spec's.
//!
//! A family numbers its questions of one length, from 0 to [`Family::space`]: an item is the unranking of a number. A
//! round's numbers come from a [`Deck`], which deals each at most once, so no item repeats within a round by
//! construction (10^6 draws and more). Two rounds of `n` prompts of a family and length share `n^2 / space` items on
//! average: each family states its space.

mod add;
mod copy;
mod deck;
mod larger;
mod logic;
mod next;
mod recall;
mod replace;
mod reverse;
mod sort;
mod unrank;

use athanor_spec::params::{FamilyParams, TaskParams};
use rand::{Rng, seq::IndexedRandom as _};

pub use deck::Deck;
use unrank::{Digits, orders, pairs, power, selections, spaced};

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
    /// Say what belongs to a key that was given some text ago.
    Recall,
}

impl Family {
    /// All families, in a fixed order.
    pub const ALL: [Family; 9] = [
        Family::Copy,
        Family::Reverse,
        Family::Sort,
        Family::Add,
        Family::Next,
        Family::Larger,
        Family::Logic,
        Family::Replace,
        Family::Recall,
    ];

    /// The families that the bundled teacher was trained on, and that its students learn; the first of [`Self::ALL`].
    pub const TAUGHT: [Family; 8] = [
        Family::Copy,
        Family::Reverse,
        Family::Sort,
        Family::Add,
        Family::Next,
        Family::Larger,
        Family::Logic,
        Family::Replace,
    ];

    /// The family's name in reports and in the spec, lower case.
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
            Family::Recall => "recall",
        }
    }

    /// How often and how hard the spec wants it.
    pub fn params(self, tasks: &TaskParams) -> &FamilyParams {
        match self {
            Family::Copy => &tasks.copy,
            Family::Reverse => &tasks.reverse,
            Family::Sort => &tasks.sort,
            Family::Add => &tasks.add,
            Family::Next => &tasks.next,
            Family::Larger => &tasks.larger,
            Family::Logic => &tasks.logic,
            Family::Replace => &tasks.replace,
            Family::Recall => &tasks.recall,
        }
    }

    /// The number of different questions of `length` elements in `wordings` wordings.
    pub fn space(self, length: u32, wordings: u32) -> u128 {
        let questions = match self {
            Family::Copy => copy::space(length),
            Family::Reverse => reverse::space(length),
            Family::Sort => sort::space(length),
            Family::Add => add::space(length),
            Family::Next => next::space(length),
            Family::Larger => larger::space(length),
            Family::Logic => logic::space(length),
            Family::Replace => replace::space(length),
            Family::Recall => recall::space(length),
        };
        questions.saturating_mul(wordings.into())
    }

    /// The share of entirely right answers that the best guess reaches which does not do the task: the level above which
    /// an answerer can be said to do it. Never more for longer questions.
    pub fn chance(self, length: u32) -> f64 {
        match self {
            Family::Copy => copy::chance(length),
            Family::Reverse => reverse::chance(length),
            Family::Sort => sort::chance(length),
            Family::Add => add::chance(length),
            Family::Next => next::chance(length),
            Family::Larger => larger::chance(length),
            Family::Logic => logic::chance(length),
            Family::Replace => replace::chance(length),
            Family::Recall => recall::chance(length),
        }
    }

    /// The ways to ask that the spec's number of paraphrases takes the first of.
    fn wordings(self) -> &'static [&'static str; 4] {
        match self {
            Family::Copy => &copy::WORDINGS,
            Family::Reverse => &reverse::WORDINGS,
            Family::Sort => &sort::WORDINGS,
            Family::Add => &add::WORDINGS,
            Family::Next => &next::WORDINGS,
            Family::Larger => &larger::WORDINGS,
            Family::Logic => &logic::WORDINGS,
            Family::Replace => &replace::WORDINGS,
            Family::Recall => &recall::WORDINGS,
        }
    }

    /// The question of a number below [`Self::space`], without `Q:`, and its answer.
    fn nth(self, length: u32, wordings: u32, between: &str, number: u128) -> (String, String) {
        let digits = &mut Digits::new(number);
        let known = self.wordings();
        // At most four, so that the digit is one.
        let count = wordings.clamp(1, known.len() as u32) as u8;
        let wording = known[usize::from(digits.take(count))];
        match self {
            Family::Copy => copy::nth(wording, length, digits),
            Family::Reverse => reverse::nth(wording, length, digits),
            Family::Sort => sort::nth(wording, length, digits),
            Family::Add => add::nth(wording, length, digits),
            Family::Next => next::nth(wording, length, digits),
            Family::Larger => larger::nth(wording, length, digits),
            Family::Logic => logic::nth(wording, length, digits),
            Family::Replace => replace::nth(wording, length, digits),
            Family::Recall => recall::nth(wording, length, between, digits),
        }
    }
}

/// How hard items were when the bundled teacher was trained; its students learn the same.
pub const TAUGHT: TaskParams = TaskParams {
    distractor_share: 0.0,
    paraphrases: 2,
    recall_distance: (0, 12),
    copy: taught(6, 8),
    reverse: taught(5, 7),
    sort: taught(5, 7),
    add: taught(4, 6),
    next: taught(6, 8),
    larger: taught(4, 6),
    logic: taught(7, 8),
    replace: taught(5, 7),
    recall: FamilyParams {
        weight: 0.0,
        length: (4, 8),
    },
};

const fn taught(low: u32, high: u32) -> FamilyParams {
    FamilyParams {
        weight: 1.0,
        length: (low, high),
    }
}

/// One question with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The family that the item belongs to.
    pub family: Family,
    /// Elements of its question: what makes it hard.
    pub length: u32,
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

/// Draws one item of a family as the spec wants it: its length uniformly, then its number. Of many draws some may be the
/// same: where that matters, use a [`Deck`].
pub fn generate(family: Family, tasks: &TaskParams, rng: &mut impl Rng) -> Item {
    let (length, space) = draw_length(family, tasks, rng);
    let number = rng.random_range(0..space);
    item(family, length, number, tasks, rng)
}

/// Draws a family in proportion to the spec's weights; `None` where all are 0.
pub fn choose(tasks: &TaskParams, rng: &mut impl Rng) -> Option<Family> {
    Family::ALL
        .choose_weighted(rng, |family| family.params(tasks).weight)
        .ok()
        .copied()
}

fn draw_length(family: Family, tasks: &TaskParams, rng: &mut impl Rng) -> (u32, u128) {
    let (low, high) = family.params(tasks).length;
    let length = rng.random_range(low..=high);
    (length, family.space(length, tasks.paraphrases))
}

fn item(family: Family, length: u32, number: u128, tasks: &TaskParams, rng: &mut impl Rng) -> Item {
    let between = match family {
        Family::Recall => filler(tasks.recall_distance, rng),
        _ => String::new(),
    };
    let (question, expected) = family.nth(length, tasks.paraphrases, &between, number);
    let example = if rng.random_bool(tasks.distractor_share) {
        example(family, tasks, rng)
    } else {
        String::new()
    };
    Item {
        family,
        length,
        prompt: format!("{example}Q: {question}\nA:"),
        expected,
    }
}

/// Real text of so many words, from anywhere in the corpus.
fn filler((low, high): (u32, u32), rng: &mut impl Rng) -> String {
    let words = rng.random_range(low..=high) as usize;
    let mut text: Vec<&str> = Vec::with_capacity(words);
    while text.len() < words {
        // A word with its space is seldom longer than this.
        let passage = crate::corpus::passage(rng, 12 * words);
        text.extend(passage.split_whitespace().take(words - text.len()));
    }
    text.join(" ")
}

/// A worked example of another family, which has nothing to do with the question after it.
fn example(family: Family, tasks: &TaskParams, rng: &mut impl Rng) -> String {
    let others: Vec<Family> = Family::ALL
        .into_iter()
        .filter(|other| *other != family && *other != Family::Recall)
        .collect();
    let Some(other) = others.choose(rng).copied() else {
        return String::new();
    };
    let (length, space) = draw_length(other, tasks, rng);
    let (question, answer) = other.nth(length, tasks.paraphrases, "", rng.random_range(0..space));
    format!("Q: {question}\nA: {answer}\n")
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
        Family::Recall => recall::grade(&item.expected, answer),
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

#[cfg(test)]
mod tests;
