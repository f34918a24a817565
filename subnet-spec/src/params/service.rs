//! `[service]`: what counts as fast enough, and how it is measured under load.

use serde::{Deserialize, Serialize};

use super::{
    Range,
    keys::{Pay, section},
    range::Interval,
};

section! {
    /// Service-level objective, in bands, and the load under which goodput is measured.
    ///
    /// An answer is worth 1 while both of its times are good enough (a dead zone: faster gains nothing), 0 where one of them
    /// is `hard_factor` times that, and in between what the worse of the two says.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct ServiceParams {
        /// Time to the first token that is good enough.
        pub ttft_ms: u32 {
            unit: "milliseconds",
            range: Range::whole(1, 3_600_000),
            reason: "Faster than users notice gains nothing, so that nobody is paid for living next to a validator.",
            pay: Pay::Moves {
                raised: "miners that are far away or slow to begin",
                lowered: "miners near to validators, with machines to spare",
            },
        }
        /// Time for each token after the first that is good enough.
        pub per_token_ms: u32 {
            unit: "milliseconds",
            range: Range::whole(1, 3_600_000),
            reason: "As fast as people read; the subnet pays for more users at that speed (goodput), not for more speed.",
            pay: Pay::Moves {
                raised: "miners with slow machines or large students",
                lowered: "miners with fast machines or small students",
            },
        }
        /// Multiple of these times at which an answer is worth nothing.
        pub hard_factor: f64 {
            unit: "times",
            range: Range::Number(Interval::above(1.0, 1000.0)),
            reason: "Between good enough and worthless lies a slope, so that noise around an edge does not decide the pay.",
            pay: Pay::Moves {
                raised: "miners that miss the objective by a little",
                lowered: "miners that keep it",
            },
        }
        /// The reference that goodput is measured in: tokens within the objective, over all streams of a load probe. It also says
        /// up to which moment the tokens of the probe count that loads all miners: until such a machine has drawn as many for
        /// each stream as the shortest continuation has (`round.continuation_new_tokens`), and no longer than `round.deadline_ms`.
        pub goodput_tokens_per_second: f64 {
            unit: "tokens per second",
            range: Range::Number(Interval::above(0.0, 1e9)),
            reason: "What the fastest machine of the class that the subnet wants gives under load. One that is faster has drawn all \
                     that it was asked for before the moment, and is paid for that, or for more hotkeys: raise this, and \
                     `load_streams` with it, so that the moment stays near `ttft_ms`. Much later, and machines are idle in the \
                     probe; much earlier, and who begins in time has nothing to show. With `allocation.goodput` \"concave\", \
                     more than this is not paid.",
            pay: Pay::Moves {
                raised: "miners with much hardware, that begin to answer soon",
                lowered: "miners with little: they reach the reference too",
            },
        }
        /// Load probes of a round: moments, unknown before, at which miners get several of their asks at once. In one of them all
        /// miners are loaded together, and goodput is what they reach in that one; in each further one a random half of them
        /// is, which shows who shares a machine. These are asks like any other: a probe costs a miner no token that it would
        /// not have been asked for.
        pub load_probes: u32 {
            unit: "probes per round",
            range: Range::whole(0, 1024),
            reason: "One card that serves several hotkeys is seen only when all of them are loaded at once: then what they reach \
                     by one moment adds up to the card. With random halves alone, many hotkeys on a card add up to two cards. 1 \
                     does without the display of shared machines, 0 pays for single asks.",
            pay: Pay::Moves {
                raised: "nobody beyond the first; from 0 to 1, miners with a card for each hotkey",
                lowered: "nobody down to 1; from 1 to 0, miners that share a card among hotkeys",
            },
        }
        /// Asks that a miner gets at once in a load probe.
        pub load_streams: u32 {
            unit: "asks at once",
            range: Range::whole(1, 256),
            reason: "One stream sees almost nothing of a shared card, and a load that leaves cards idle pays for more hotkeys on \
                     each: 8 where miners have cards of their own, more where a card draws more of them in the time of one; 2 \
                     where all share one machine as on a local subnet.",
            pay: Pay::Moves {
                raised: "miners with a card for each hotkey",
                lowered: "miners that share a card among hotkeys, and miners on CPUs",
            },
        }
    }
}
