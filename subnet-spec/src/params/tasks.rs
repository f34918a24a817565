//! `[tasks]`: which procedural families a round draws from, and how hard their items are.

use serde::{Deserialize, Serialize};

use super::{
    Range,
    keys::{Pay, section},
    range::Interval,
};

section! {
    /// Procedural items: how often each family is drawn, and how hard it is.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct TaskParams {
        /// Share of items that follow a worked example of another family, which has nothing to do with them.
        pub distractor_share: f64 {
            unit: "share of items",
            range: Range::SHARE,
            reason: "Shows whether a student reads the question or the nearest pattern. The bundled teacher is too small for it.",
            pay: Pay::Moves {
                raised: "larger students, which are not led astray",
                lowered: "small students that know the plain wordings",
            },
        }
        /// Wordings of each family that are asked: `sort`, `order`, ... The bundled teacher knows the first two.
        pub paraphrases: u32 {
            unit: "wordings",
            range: Range::whole(1, 4),
            reason: "A student that learnt one wording by heart has not learnt the task.",
            pay: Pay::Moves {
                raised: "students that learnt the task",
                lowered: "students that learnt its wording",
            },
        }
        /// Words of real text between what is to be recalled and the question about it, drawn anew for each.
        pub recall_distance: (u32, u32) {
            unit: "words",
            range: Range::Span { least: 0, most: 1 << 16 },
            reason: "Recall at a distance is what a context is for. It matters only while `recall` has a weight.",
            pay: Pay::Moves {
                raised: "students with a working long context",
                lowered: "students with a short one",
            },
        }
        /// Repeat letters.
        pub copy: FamilyParams { family }
        /// Repeat letters backwards.
        pub reverse: FamilyParams { family }
        /// Put letters into alphabetical order.
        pub sort: FamilyParams { family }
        /// Add digits pair by pair.
        pub add: FamilyParams { family }
        /// Give each letter's successor.
        pub next: FamilyParams { family }
        /// Pick the larger digit of each pair.
        pub larger: FamilyParams { family }
        /// Evaluate truth values pair by pair.
        pub logic: FamilyParams { family }
        /// Copy letters with one exchanged for another.
        pub replace: FamilyParams { family }
        /// Say what belongs to a key that was given some text ago. Beyond the bundled teacher, which is too small for it.
        pub recall: FamilyParams { family }
    }
}

section! {
    /// One family of procedural items.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct FamilyParams {
        /// How often it is drawn, relative to the other families; 0 turns it off.
        pub weight: f64 {
            unit: "relative weight",
            range: Range::Number(Interval::closed(0.0, 1e6)),
            reason: "A family that the teacher does not do above chance says nothing of a student: a validator refuses to start \
                     with it.",
            pay: Pay::Moves {
                raised: "students that are good at this family",
                lowered: "students that are good at the other families",
            },
        }
        /// Elements of a question (letters, pairs, clauses, keys): what makes it hard.
        pub length: (u32, u32) {
            unit: "elements",
            range: Range::Span { least: 2, most: 16 },
            reason: "At least two, so that there is something to do, and few enough that every question has a number. As long \
                     as the teacher still does it.",
            pay: Pay::Moves {
                raised: "students that do this family at length",
                lowered: "students that do it for short questions only",
            },
        }
    }
}

impl TaskParams {
    /// The families with their names.
    pub fn families(&self) -> [(&'static str, &FamilyParams); 9] {
        [
            ("copy", &self.copy),
            ("reverse", &self.reverse),
            ("sort", &self.sort),
            ("add", &self.add),
            ("next", &self.next),
            ("larger", &self.larger),
            ("logic", &self.logic),
            ("replace", &self.replace),
            ("recall", &self.recall),
        ]
    }
}
