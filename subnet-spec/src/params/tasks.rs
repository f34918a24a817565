//! `[tasks]`: which procedural families a round draws from, and how hard their items are.

use serde::{Deserialize, Serialize};

use super::{RoundParams, SpecError};

/// Elements of a question: at least two, so that there is something to do, and few enough that every question of a
/// family has a number.
const LENGTHS: std::ops::RangeInclusive<u32> = 2..=16;
/// Wordings that each family knows.
const WORDINGS: u32 = 4;

/// Procedural items: how often each family is drawn, and how hard it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskParams {
    /// Share of items that follow a worked example of another family, which has nothing to do with them.
    pub distractor_share: f64,
    /// Wordings of each family that are used, 1 to 4: `sort`, `order`, ...
    pub paraphrases: u32,
    /// Words of real text between what is to be recalled and the question about it, inclusive range.
    pub recall_distance: (u32, u32),
    /// Repeat letters.
    pub copy: FamilyParams,
    /// Repeat letters backwards.
    pub reverse: FamilyParams,
    /// Put letters into alphabetical order.
    pub sort: FamilyParams,
    /// Add digits pair by pair.
    pub add: FamilyParams,
    /// Give each letter's successor.
    pub next: FamilyParams,
    /// Pick the larger digit of each pair.
    pub larger: FamilyParams,
    /// Evaluate truth values pair by pair.
    pub logic: FamilyParams,
    /// Copy letters with one exchanged for another.
    pub replace: FamilyParams,
    /// Say what belongs to a key that was given some text ago.
    pub recall: FamilyParams,
}

/// One family of procedural items.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilyParams {
    /// How often it is drawn, relative to the other families; 0 turns it off.
    pub weight: f64,
    /// Elements of a question (letters, pairs, clauses, keys), inclusive range: what makes it hard.
    pub length: (u32, u32),
}

impl TaskParams {
    fn families(&self) -> [(&'static str, &'static str, &FamilyParams); 9] {
        [
            ("tasks.copy.weight", "tasks.copy.length", &self.copy),
            (
                "tasks.reverse.weight",
                "tasks.reverse.length",
                &self.reverse,
            ),
            ("tasks.sort.weight", "tasks.sort.length", &self.sort),
            ("tasks.add.weight", "tasks.add.length", &self.add),
            ("tasks.next.weight", "tasks.next.length", &self.next),
            ("tasks.larger.weight", "tasks.larger.length", &self.larger),
            ("tasks.logic.weight", "tasks.logic.length", &self.logic),
            (
                "tasks.replace.weight",
                "tasks.replace.length",
                &self.replace,
            ),
            ("tasks.recall.weight", "tasks.recall.length", &self.recall),
        ]
    }

    pub(super) fn check(&self, round: &RoundParams) -> Result<(), SpecError> {
        let refuse = |key, value, expected| {
            Err(SpecError::OutOfRange {
                key,
                value,
                expected,
            })
        };
        if !(0.0..=1.0).contains(&self.distractor_share) {
            let value = self.distractor_share.to_string();
            return refuse("tasks.distractor_share", value, "between 0 and 1");
        }
        if !(1..=WORDINGS).contains(&self.paraphrases) {
            let value = self.paraphrases.to_string();
            return refuse("tasks.paraphrases", value, "between 1 and 4");
        }
        let (low, high) = self.recall_distance;
        if low > high || high > 1 << 16 {
            let value = format!("[{low}, {high}]");
            return refuse(
                "tasks.recall_distance",
                value,
                "[low, high] with low <= high <= 65536",
            );
        }
        for (weight_key, length_key, family) in self.families() {
            if !(0.0..=1e6).contains(&family.weight) {
                return refuse(
                    weight_key,
                    family.weight.to_string(),
                    "between 0 and a million",
                );
            }
            let (low, high) = family.length;
            if low > high || !LENGTHS.contains(&low) || !LENGTHS.contains(&high) {
                return refuse(
                    length_key,
                    format!("[{low}, {high}]"),
                    "[low, high] with 2 <= low <= high <= 16",
                );
            }
            // An answer has at most a word for each element, and its end.
            if family.weight > 0.0 && high >= round.continuation_new_tokens.1 {
                return Err(SpecError::Contradiction {
                    left: length_key,
                    right: "round.continuation_new_tokens",
                    why: "an answer would be cut before its end",
                });
            }
        }
        let asked: f64 = self
            .families()
            .map(|(_, _, family)| family.weight)
            .iter()
            .sum();
        if asked <= 0.0 && round.continuation_share < 1.0 {
            return Err(SpecError::Contradiction {
                left: "tasks",
                right: "round.continuation_share",
                why: "items are asked for, and every family has weight 0",
            });
        }
        Ok(())
    }
}
