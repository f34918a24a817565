//! `[audit]`: when an answer counts as not sampled from the committed checkpoint.

use serde::{Deserialize, Serialize};

use super::{
    Range,
    keys::{Pay, section},
    range::Interval,
};

section! {
    /// Audit of section "was this answer sampled from that checkpoint?".
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct AuditParams {
        /// Probability that an honest hotkey is ever condemned, over its lifetime and however often it is looked at: "wrong
        /// checkpoint" when the e-process reaches 1 / alpha.
        pub alpha: f64 {
            unit: "probability per hotkey and lifetime",
            range: Range::Number(Interval::above(0.0, 0.05)),
            reason: "With 256 miners and validators that all look, one false verdict in a thousand years is still too many \
                     at 0.01; a cheat needs only a few tokens more at 1e-6.",
            pay: Pay::Moves {
                raised: "honest miners next to cheats, which are found with less evidence; honest ones risk more",
                lowered: "cheats, which are found later; no honest miner is accused",
            },
        }
        /// Mixture of assumed shares of dishonest requests (rho): the e-process bets on each of them.
        pub dishonest_shares: Vec<f64> {
            unit: "share of requests",
            range: Range::Numbers(Interval::inside(0.0, 1.0)),
            reason: "Nobody knows how often a part-time cheat cheats: from 1 % to nearly always, each bet costs a fifth of the \
                     evidence at most.",
            pay: Pay::Shifts("Small shares find those that cheat now and then sooner, large ones those that cheat always; more \
                              of them delay both."),
        }
    }
}
