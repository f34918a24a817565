//! `[allocation]`: how grades become weights.

use serde::{Deserialize, Serialize};

use super::{
    Range,
    keys::{Pay, section},
    range::Interval,
};

/// Who is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Curve {
    /// Every class by its worth: splitting a model over siblings gains nothing.
    Proportional,
    /// The classes of the greatest worth only, by their worth. Siblings of one model can fill the places.
    TopK,
    /// A share for the crown, the rest proportional. Siblings of the crowned model share the rest.
    Crown,
}

impl Curve {
    /// The words for them in a file.
    const WORDS: &'static [&'static str] = &["proportional", "top_k", "crown"];
}

/// What a class is paid for the goodput of its members together, in units of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoodputWorth {
    /// In proportion: twice the hardware earns twice as much.
    Linear,
    /// The square root up to the reference, and nothing for more: enough is enough.
    Concave,
}

impl GoodputWorth {
    /// The words for them in a file.
    const WORDS: &'static [&'static str] = &["linear", "concave"];
}

section! {
    /// How grades become weights.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct AllocationParams {
        /// Who is paid: "proportional" (siblings of a model earn together what they would apart), "top_k" classes, or "crown": a
        /// share to the class that is proven best, the rest proportional. Siblings can flood the last two.
        pub curve: Curve {
            unit: "",
            range: Range::Choice(Curve::WORDS),
            reason: "By worth, splitting a model gains nothing, and validators agree. Each measures for itself who is best, so a \
                     crown costs agreement: honest validators' trust falls by a twentieth at a share of a tenth, and who \
                     copies their weights gains that. A pure race loses all miners but one.",
            pay: Pay::Shifts("\"proportional\" pays everybody by worth; \"top_k\" takes from the classes below the k-th; \
                              \"crown\" takes `crown_share` from all for the one proven best."),
        }
        /// Classes that are paid by the curve `top_k`.
        pub top_k: u32 {
            unit: "classes",
            range: Range::whole(1, 65_535),
            reason: "Counts only with `curve = \"top_k\"`. Few places make a race, and are few siblings to fill.",
            pay: Pay::Moves {
                raised: "middling classes (with `curve = \"top_k\"` only)",
                lowered: "the best classes (with `curve = \"top_k\"` only)",
            },
        }
        /// Worth of the goodput of a class together, in references (`service.goodput_tokens_per_second`): "linear", or
        /// "concave", the square root up to the reference.
        pub goodput: GoodputWorth {
            unit: "",
            range: Range::Choice(GoodputWorth::WORDS),
            reason: "Linear buys as much capacity as the emission pays for, and a card that is split over siblings of a \
                     model gains nothing. Concave buys the first machine of many miners, and eight siblings on one card \
                     earn more than twice what one does: it is for subnets whose miners share a machine, as a local one.",
            pay: Pay::Shifts("\"linear\" favours miners with much hardware, \"concave\" those with one machine."),
        }
        /// Whether what nobody earned goes to the UID of the subnet's owner, whose incentive the chain burns; otherwise it is
        /// shared like the rest, and no weights are set when nobody earned any.
        pub burn_unearned: bool {
            unit: "",
            range: Range::Flag,
            reason: "Shared among the others, what a bad epoch leaves would be a reward for keeping others away.",
            pay: Pay::Shifts("true pays nobody for what was not earned; false gives it to the miners that are paid at all."),
        }
        /// Exponent p of the lower bound of quality; 2 advised.
        pub exponent: f64 {
            unit: "",
            range: Range::Number(Interval::above(0.0, 4.0)),
            reason: "How much more twice the quality earns. Above 2, a newcomer needs ever more prompts before its uncertainty \
                     does not cost it more than a tenth of its pay.",
            pay: Pay::Moves {
                raised: "the best miners",
                lowered: "middling and weak miners",
            },
        }
        /// Standard errors z that are subtracted from quality.
        pub confidence_z: f64 {
            unit: "standard errors",
            range: Range::Number(Interval::closed(0.0, 10.0)),
            reason: "Pay follows what is known: a lucky beginning, or many registrations in the hope of one, gains nothing.",
            pay: Pay::Moves {
                raised: "miners that are known for long",
                lowered: "newcomers, and those who register again and again in the hope of luck",
            },
        }
        /// Standard deviation of the quality of one ask in the population, the same for all miners.
        pub pool_sd: f64 {
            unit: "quality",
            range: Range::SHARE,
            reason: "A miner's own deviation would tax honest variance, and could be made small by answering everything alike.",
            pay: Pay::Moves {
                raised: "miners that are known for long",
                lowered: "newcomers",
            },
        }
        /// Cap of the effective number of asks, for all alike.
        pub max_effective_asks: f64 {
            unit: "asks",
            range: Range::Number(Interval::above(0.0, 1e9)),
            reason: "Beyond it nobody is known any better, so an old miner keeps no lead for its age.",
            pay: Pay::Moves {
                raised: "miners that are known for long",
                lowered: "newcomers: they reach the cap sooner",
            },
        }
        /// Half-life of the margin by which a newer checkpoint must beat an older one.
        pub margin_half_life_epochs: f64 {
            unit: "epochs",
            range: Range::Number(Interval::above(0.0, 100_000.0)),
            reason: "Small gains that are real shall be paid in time, but not a copy with noise on the day after.",
            pay: Pay::Moves {
                raised: "the holder of the crown",
                lowered: "challengers with small gains, and near copies of the crowned model",
            },
        }
        /// Margin eps by which a later checkpoint must beat an earlier one for the crown.
        pub crown_margin: f64 {
            unit: "quality",
            range: Range::SHARE,
            reason: "A copy with a little noise on it must not win by chance of the noise.",
            pay: Pay::Moves {
                raised: "the holder of the crown",
                lowered: "challengers with small gains, and near copies of the crowned model",
            },
        }
        /// Share of the pay that goes to the crown; the rest is proportional.
        pub crown_share: f64 {
            unit: "share of pay",
            range: Range::SHARE,
            reason: "Counts only with `curve = \"crown\"`. Enough to make being first worth the training, little enough that \
                     siblings around the crown do not pay.",
            pay: Pay::Moves {
                raised: "the one miner that is proven best",
                lowered: "all others",
            },
        }
        /// Probability of one false crown among all challengers of a round, however often the evidence is looked at.
        pub crown_alpha: f64 {
            unit: "probability",
            range: Range::Number(Interval::above(0.0, 0.2)),
            reason: "The evidence is an e-process: looking at it with every prompt costs nothing.",
            pay: Pay::Moves {
                raised: "challengers: less evidence crowns them, sometimes wrongly",
                lowered: "the holder of the crown",
            },
        }
        /// Challenges that are taken in a round, first in first out: the number M that the error rate is divided by.
        pub crown_slots: u32 {
            unit: "challenges per round",
            range: Range::whole(1, 65_535),
            reason: "Fixed, and not the number of challengers: else a flood of siblings would raise what an honest one needs.",
            pay: Pay::Moves {
                raised: "challengers in a queue; each needs somewhat more evidence",
                lowered: "the first challengers in line",
            },
        }
    }
}
