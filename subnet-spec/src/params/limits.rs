//! `[limits]`: size bounds of everything that crosses the wire.

use serde::{Deserialize, Serialize};

use super::{
    Range,
    keys::{Pay, section},
};

section! {
    /// Size bounds. A message over a bound is refused before it is decoded.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct Limits {
        /// Longest prompt.
        pub max_prompt_tokens: u32 {
            unit: "tokens",
            range: Range::whole(1, 1 << 20),
            reason: "Bounds the message and, with `max_new_tokens`, the context that a student must have.",
            pay: Pay::Moves {
                raised: "miners with the memory for longer contexts",
                lowered: "miners on small machines; users with long prompts are turned away",
            },
        }
        /// Longest answer.
        pub max_new_tokens: u32 {
            unit: "tokens",
            range: Range::whole(1, 1 << 16),
            reason: "Bounds what one ask can cost a miner, and the replay of it a validator.",
            pay: Pay::Moves {
                raised: "miners with the memory for longer contexts",
                lowered: "miners on small machines; users get shorter answers",
            },
        }
        /// Longest range of a blob served at once; a power of two of kibibytes is easiest to verify.
        pub max_chunk_bytes: u32 {
            unit: "bytes",
            range: Range::Whole { least: 1024, most: 1 << 22, step: 1024 },
            reason: "Each range is verified by itself: a bad one is refused before the next is asked for.",
            pay: Pay::Nobody("It trades memory of both sides against round trips of a fetch."),
        }
        /// Largest checkpoint, all its files together. One over this bound is not fetched, hence not paid.
        pub max_artifact_bytes: u64 {
            unit: "bytes",
            range: Range::whole(1, 1 << 50),
            reason: "A validator fetches and loads every miner's checkpoint: this is what each may cost it.",
            pay: Pay::Moves {
                raised: "miners with larger students, which come nearer to the teacher",
                lowered: "miners whose students are small; larger ones are no longer paid at all",
            },
        }
        /// Largest manifest.
        pub max_manifest_bytes: u32 {
            unit: "bytes",
            range: Range::whole(1, 1 << 26),
            reason: "It is read before anything of the checkpoint is verified, so it must be small.",
            pay: Pay::Nobody("A manifest of a few files takes some kibibytes; only malformed ones are larger."),
        }
        /// Rate at which a miner gives its checkpoint at least; a few seconds are allowed on top. A slower one is a fault while
        /// other miners' come faster.
        pub min_artifact_bytes_per_second: u64 {
            unit: "bytes per second",
            range: Range::whole(1, 1 << 40),
            reason: "A checkpoint that never arrives would keep its miner ungraded, and the validator waiting.",
            pay: Pay::Moves {
                raised: "miners with a fast uplink: slower ones are at fault and earn nothing",
                lowered: "miners behind slow lines; validators wait longer for them",
            },
        }
        /// Stake that admits a validator before it holds a permit.
        pub min_validator_stake_tao: u64 {
            unit: "TAO",
            range: Range::whole(0, 21_000_000),
            reason: "A new validator must be answered before its first epoch gives it a permit, and nobody else for free.",
            pay: Pay::Moves {
                raised: "validators that stand already: newcomers need more stake to be answered",
                lowered: "newcomers among the validators; miners answer more askers",
            },
        }
    }
}
