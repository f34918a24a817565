//! `[grade]`: how an audited answer is graded.

use serde::{Deserialize, Serialize};

use super::{
    Range,
    keys::{Pay, section},
    range::Interval,
};

/// What follows when a model is found to be a copy of an earlier one whose bytes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FunctionalCopies {
    /// It is a copy like any other, and unpaid.
    Unpaid,
    /// It is shown, and paid.
    Shown,
}

impl FunctionalCopies {
    /// The words for them in a file.
    const WORDS: &'static [&'static str] = &["unpaid", "shown"];
}

section! {
    /// Grade of an audited answer.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct GradeParams {
        /// Skew s of the reverse KL( q || (1-s) p + s q ) from student q to teacher p.
        pub kl_skew: f64 {
            unit: "share of the student",
            range: Range::Number(Interval::inside(0.0, 1.0)),
            reason: "Bounds the divergence of a token at ln(1/s), 2.3 nats at 0.1, so that one absurd token does not decide a \
                     round.",
            pay: Pay::Moves {
                raised: "students with a few gross errors, whose cost is capped lower",
                lowered: "students without gross errors",
            },
        }
        /// Divergence d0 at which fidelity is 1/e.
        pub fidelity_scale: f64 {
            unit: "nats per nat of teacher entropy",
            range: Range::Number(Interval::above(0.0, 100.0)),
            reason: "Fitted so that real students of a fair size lie where the curve is steep; re-fit it for another teacher \
                     (validator/examples/fidelity-scale.rs).",
            pay: Pay::Moves {
                raised: "middling students: the gap to the best closes",
                lowered: "the students nearest to the teacher",
            },
        }
        /// Floor of the teacher's entropy per token, so that tokens it is certain of are not free.
        pub entropy_floor: f64 {
            unit: "nats",
            range: Range::Number(Interval::above(0.0, 10.0)),
            reason: "Divergence is charged per nat of the teacher's own doubt; with none, a loop that the teacher foresees \
                     would be charged by a division by 0.",
            pay: Pay::Moves {
                raised: "students that err where the teacher is certain",
                lowered: "students that are right where the teacher is certain",
            },
        }
        /// Share a of the worst axes in the quality Q; the weighted mean of all has the rest.
        pub worst_share: f64 {
            unit: "share of quality",
            range: Range::SHARE,
            reason: "A mean alone can be had by being perfect in one thing and absent in another.",
            pay: Pay::Moves {
                raised: "miners without a weak side",
                lowered: "specialists: a strong axis makes up for a weak one",
            },
        }
        /// Number K of worst axes that are averaged.
        pub worst_axes: u32 {
            unit: "axes",
            range: Range::whole(1, 3),
            reason: "There are three axes (fidelity, correctness, service). The weakest alone is the strictest.",
            pay: Pay::Moves {
                raised: "miners with one weak axis",
                lowered: "miners without a weak side",
            },
        }
        /// Weight of fidelity in the mean of the axes.
        pub fidelity_weight: f64 {
            unit: "relative weight",
            range: Range::SHARE,
            reason: "Being a good copy of the teacher is what the subnet makes; the three weights count relative to each other.",
            pay: Pay::Moves {
                raised: "miners that distil best",
                lowered: "miners that are right or fast rather than alike",
            },
        }
        /// Weight of correctness in the mean of the axes.
        pub correctness_weight: f64 {
            unit: "relative weight",
            range: Range::SHARE,
            reason: "Likeness does not say whether an answer is right.",
            pay: Pay::Moves {
                raised: "miners that get checkable items right",
                lowered: "miners that write like the teacher or are fast",
            },
        }
        /// Weight of service in the mean of the axes.
        pub service_weight: f64 {
            unit: "relative weight",
            range: Range::SHARE,
            reason: "A model that nobody can use in time is worth little. Goodput is paid apart from it (`allocation.goodput`).",
            pay: Pay::Moves {
                raised: "miners with fast and steady machines",
                lowered: "miners with good models on slow machines",
            },
        }
        /// Largest share of an answer's bigrams that may repeat before liveliness falls.
        pub repetition_tolerance: f64 {
            unit: "share of bigrams",
            range: Range::SHARE,
            reason: "Text repeats itself; loops do so far more. Liveliness caps the quality, so nothing makes up for a loop.",
            pay: Pay::Moves {
                raised: "students that repeat themselves",
                lowered: "students that do not; below what the teacher does itself, nobody is paid in full",
            },
        }
        /// Liveliness left to an answer that runs into its limit where the teacher ended.
        pub missing_end: f64 {
            unit: "share of quality",
            range: Range::SHARE,
            reason: "A student that never ends costs its users time and tokens, and looks alike up to there.",
            pay: Pay::Moves {
                raised: "students that do not know when to stop",
                lowered: "students that stop where the teacher stops",
            },
        }
        /// Time after which evidence in the ledger counts half.
        pub half_life_epochs: f64 {
            unit: "epochs",
            range: Range::Number(Interval::above(0.0, 10_000.0)),
            reason: "Students improve: what was measured weeks ago is of another one. Short memory is noise, on which validators \
                     disagree and who copies them gains; a long one pays for the past. Faults do not wait for it.",
            pay: Pay::Moves {
                raised: "miners that were good and let go",
                lowered: "miners that have just improved; pay varies more from epoch to epoch",
            },
        }
        /// What follows when a model is nearer to an earlier one than independent students come, though its bytes differ:
        /// "unpaid", or "shown". Judged only where the teacher is the one that the sample of siblings was made of.
        pub functional_copies: FunctionalCopies {
            unit: "",
            range: Range::Choice(FunctionalCopies::WORDS),
            reason: "A copy with a little noise serves what another trained and costs a third of it (docs/similarity.md). Shown \
                     is for a subnet whose miners begin from one published student.",
            pay: Pay::Shifts("\"unpaid\" takes the pay of whoever serves another's model in disguise; \"shown\" leaves it."),
        }
    }
}
