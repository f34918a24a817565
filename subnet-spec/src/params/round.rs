//! `[round]`: what a validator asks in one round.

use serde::{Deserialize, Serialize};

use super::{
    Interval, Range,
    keys::{Pay, section},
};

section! {
    /// What a validator asks in one round (one round per epoch).
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct RoundParams {
        /// Asks that a miner gets from each validator. Who is little known gets more, out of the others' share.
        pub asks_per_miner: u32 {
            unit: "asks per round",
            range: Range::whole(1, 100_000),
            reason: "Evidence grows with asks, and so does the validator's bill: one prefill of student and teacher for each.",
            pay: Pay::Moves {
                raised: "miners that are better than they look yet: quality is known sooner; validators pay in replays",
                lowered: "miners of doubtful quality and cheats, which stay unknown for longer",
            },
        }
        /// Asks in flight at once, over all miners: a validator must not be its own bottleneck.
        pub max_in_flight: u32 {
            unit: "asks",
            range: Range::whole(1, 65_536),
            reason: "Bounds the validator's memory and connections; what waits here is not the miner's delay.",
            pay: Pay::Nobody("Too low, and a round does not get through its asks: those that were not sent count for nobody."),
        }
        /// Time that a miner has for one answer, from the first byte of the ask to the last of the answer.
        pub deadline_ms: u32 {
            unit: "milliseconds",
            range: Range::whole(1, 3_600_000),
            reason: "An answer that is not there by then grades 0: without an end, a stalling miner would stay ungraded.",
            pay: Pay::Moves {
                raised: "slow miners, whose late answers still count for quality",
                lowered: "fast miners: the slow ones' answers are cut and grade 0",
            },
        }
        /// Sampling temperatures, one of which is drawn for each ask, all alike. 0 is greedy.
        pub temperatures_milli: Vec<u16> {
            unit: "thousandths",
            range: Range::Wholes { least: 0, most: 2000 },
            reason: "Audits must look like users' asks, and only sampled tokens tell whose they are: greedy answers carry no \
                     evidence of the seed.",
            pay: Pay::Shifts("Higher temperatures show faster whose tokens these are (bad for relays and quantisers), and \
                              weigh how well a student knows its own doubt; low ones weigh its first choice."),
        }
        /// Tokens of real text in a continuation's prompt, drawn anew for each.
        pub continuation_prompt_tokens: (u32, u32) {
            unit: "tokens",
            range: Range::Span { least: 1, most: 1 << 20 },
            reason: "Long enough to say what the text is about, short enough for the teacher to be asked often.",
            pay: Pay::Moves {
                raised: "students that hold a longer context; replays cost validators more",
                lowered: "students that are good at openings only",
            },
        }
        /// Length of a continuation, drawn anew for each.
        pub continuation_new_tokens: (u32, u32) {
            unit: "tokens",
            range: Range::Span { least: 1, most: 1 << 16 },
            reason: "Every token is one more piece of evidence, for quality and of whose it is; each costs the miner a step.",
            pay: Pay::Moves {
                raised: "students that stay on the subject, and fast miners; cheats are found with fewer asks",
                lowered: "students that drift, and slow miners",
            },
        }
        /// Share of a miner's asks whose prompts all miners of the round get, each with a sampling seed and a time of its own:
        /// pairs of miners are compared on these, and the teacher reads each once.
        pub shared_share: f64 {
            unit: "share of asks",
            range: Range::SHARE,
            reason: "The crown compares two models on the same prompts, and the teacher reads them once for all; a prompt of one's \
                     own cannot be looked up at another miner's, and load probes take those. Half of each where there is room.",
            pay: Pay::Moves {
                raised: "better newcomers, which are proven better sooner; and miners that pass prompts to each other",
                lowered: "the holder of the crown; sharing prompts gains less",
            },
        }
        /// Share of asks that continue real text; the rest are procedural items with a checkable answer.
        pub continuation_share: f64 {
            unit: "share of asks",
            range: Range::SHARE,
            reason: "Continuations are what users want and measure likeness to the teacher; items measure whether an answer is \
                     right, which likeness alone cannot.",
            pay: Pay::Moves {
                raised: "miners whose students write like the teacher",
                lowered: "miners whose students get checkable items right",
            },
        }
        /// Share of asks that are opened: continued by the teacher, replayed, audited and graded. Which ones is drawn from the
        /// round's secret seed, so no miner knows when it answers. The others are paid for their time alone.
        pub opening_share: f64 {
            unit: "share of asks",
            range: Range::Number(Interval { least: 0.0, most: 1.0, above: true, below: false }),
            reason: "A replay costs two to three times what the answer did: 0.01 keeps verification within 5 % of generation, and \
                     cheats are found and miners ranked that much later. A local subnet has few asks, and opens all.",
            pay: Pay::Moves {
                raised: "better miners, which are told apart sooner; replays cost validators more",
                lowered: "part-time cheats, which are found later, and newcomers' rivals: all widths shrink more slowly",
            },
        }
        /// Part of the epoch, from its start, over which the asks are scattered; weights are set after it.
        pub ask_window_share: f64 {
            unit: "share of an epoch",
            range: Range::SHARE,
            reason: "What comes after it must hold the last answers, the replays and the weights; a miner commits and swaps its \
                     checkpoint there.",
            pay: Pay::Moves {
                raised: "miners that are there all the time: more of the epoch is sampled; validators have less time to replay",
                lowered: "miners that are there for a part of the epoch only",
            },
        }
    }
}
