//! `subnet.toml`: every number and choice of the mechanism, with unit, range and reason.
//!
//! Unknown keys are errors, so a misspelt key can never be silently ignored. The digest of the parsed spec, not of the
//! text, is what nodes compare: comments and layout do not matter.

use codec::Encode;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Digest, NetUid};

mod allocation;
mod service;
mod tasks;

pub use allocation::{AllocationParams, Curve, GoodputWorth};
pub use service::ServiceParams;
pub use tasks::{FamilyParams, TaskParams};

/// Everything that the participants of one subnet must agree on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubnetSpec {
    /// Identity of the subnet.
    pub subnet: Subnet,
    /// Size bounds of everything that crosses the wire.
    pub limits: Limits,
    /// What a validator asks in one round.
    pub round: RoundParams,
    /// Which procedural families are asked, and how hard they are.
    pub tasks: TaskParams,
    /// When an answer counts as not sampled from the committed checkpoint.
    pub audit: AuditParams,
    /// How an audited answer is graded.
    pub grade: GradeParams,
    /// What counts as fast enough.
    pub service: ServiceParams,
    /// How grades become weights.
    pub allocation: AllocationParams,
}

/// Identity of the subnet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subnet {
    /// Human-readable name.
    pub name: String,
    /// Number on the chain.
    pub netuid: NetUid,
    /// Vocabulary size of the teacher's tokenizer, shared by every student.
    pub vocab_size: u32,
    /// Weights version key: validators whose key is lower than the chain's cannot set weights.
    pub version_key: u64,
}

/// Size bounds. A message over a bound is refused before it is decoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Longest prompt in tokens.
    pub max_prompt_tokens: u32,
    /// Longest answer in tokens.
    pub max_new_tokens: u32,
    /// Longest range of a blob served at once, in bytes; a multiple of 1024.
    pub max_chunk_bytes: u32,
    /// Largest checkpoint (all its files) in bytes.
    pub max_artifact_bytes: u64,
    /// Largest manifest in bytes.
    pub max_manifest_bytes: u32,
    /// Bytes per second at which a miner gives its checkpoint at least; a few seconds are allowed on top. A slower one is a
    /// fault while other miners' come faster.
    pub min_artifact_bytes_per_second: u64,
    /// Stake in TAO that admits a validator before it holds a permit.
    pub min_validator_stake_tao: u64,
}

/// What a validator asks in one round (one round per epoch).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundParams {
    /// Asks per miner.
    pub asks_per_miner: u32,
    /// Asks in flight at once, over all miners: a validator must not be its own bottleneck.
    pub max_in_flight: u32,
    /// Milliseconds that a miner has for one answer.
    pub deadline_ms: u32,
    /// Sampling temperatures in thousandths, drawn uniformly per ask.
    pub temperatures_milli: Vec<u16>,
    /// Tokens of real text in a continuation prompt, inclusive range.
    pub continuation_prompt_tokens: (u32, u32),
    /// Generated tokens of a continuation, inclusive range.
    pub continuation_new_tokens: (u32, u32),
    /// Share of a miner's asks whose prompts all miners of the round get, each with a sampling seed and a time of its
    /// own: pairs of miners are compared on these, and the teacher reads each once.
    pub shared_share: f64,
    /// Share of asks that continue real text; the rest are procedural items with a checkable answer.
    pub continuation_share: f64,
    /// Part of the epoch, from its start, over which the asks are scattered; weights are set after it.
    pub ask_window_share: f64,
}

/// Audit of section "was this answer sampled from that checkpoint?".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditParams {
    /// Lifetime false-alarm probability per hotkey: "wrong checkpoint" when the e-process reaches 1 / alpha.
    pub alpha: f64,
    /// Mixture of assumed shares of dishonest requests (rho); at least one, each in (0, 1).
    pub dishonest_shares: Vec<f64>,
}

/// Grade of an audited answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradeParams {
    /// Skew s of the reverse KL( q || (1-s) p + s q ), in (0, 1).
    pub kl_skew: f64,
    /// Divergence d0 (nats per nat of teacher entropy) at which fidelity is 1/e.
    pub fidelity_scale: f64,
    /// Floor of the teacher's entropy per token, in nats, so that certain tokens are not free.
    pub entropy_floor: f64,
    /// Share of the worst axes in Q (the a of the mechanism).
    pub worst_share: f64,
    /// Number of worst axes averaged (the K of the mechanism).
    pub worst_axes: u32,
    /// Weight of the fidelity axis in the weighted mean.
    pub fidelity_weight: f64,
    /// Weight of the correctness axis in the weighted mean.
    pub correctness_weight: f64,
    /// Weight of the service axis in the weighted mean.
    pub service_weight: f64,
    /// Largest share of an answer's bigrams that may repeat before liveliness falls.
    pub repetition_tolerance: f64,
    /// Liveliness left to an answer that runs into its limit where the teacher ended, in [0, 1].
    pub missing_end: f64,
    /// Half-life of ledger evidence, in epochs.
    pub half_life_epochs: f64,
}

/// Why a spec cannot be used.
#[derive(Debug, Error)]
pub enum SpecError {
    /// Not TOML, or a key is missing, unknown or of the wrong type.
    #[error("not a subnet spec: {0}")]
    Parse(#[from] toml::de::Error),
    /// A value is out of its range.
    #[error("`{key}` is {value}, but it must be {expected}")]
    OutOfRange {
        /// Dotted key.
        key: &'static str,
        /// The value found.
        value: String,
        /// The range in words.
        expected: &'static str,
    },
    /// Two values contradict each other.
    #[error("`{left}` and `{right}` contradict each other: {why}")]
    Contradiction {
        /// Dotted key.
        left: &'static str,
        /// Dotted key.
        right: &'static str,
        /// What cannot both hold.
        why: &'static str,
    },
}

impl SubnetSpec {
    /// The spec that a local subnet runs, and the starting point of a new one.
    pub const DEFAULT_TOML: &'static str = include_str!("../subnet.toml");

    /// Parses and checks a spec.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        let spec: Self = toml::from_str(text)?;
        spec.check()?;
        Ok(spec)
    }

    /// The spec of [`Self::DEFAULT_TOML`].
    pub fn local() -> Self {
        match Self::from_toml(Self::DEFAULT_TOML) {
            Ok(spec) => spec,
            Err(error) => unreachable!("the spec that ships with this crate is invalid: {error}"),
        }
    }

    /// What nodes compare and commit to: blake3 over the SCALE encoding of the compact TOML of the parsed values.
    pub fn digest(&self) -> Digest {
        Digest::of(&("athanor/spec", self.to_toml()).encode())
    }

    /// The compact TOML of the parsed values: the spec as it is sent to others, without the file's comments.
    pub fn to_toml(&self) -> String {
        // Every field is a TOML value, so this cannot fail.
        toml::to_string(self).unwrap_or_default()
    }

    fn check(&self) -> Result<(), SpecError> {
        let limits = &self.limits;
        range(
            "subnet.vocab_size",
            self.subnet.vocab_size > 0,
            self.subnet.vocab_size.to_string(),
            "above 0",
        )?;
        range(
            "limits.max_prompt_tokens",
            (1..=1 << 20).contains(&limits.max_prompt_tokens),
            limits.max_prompt_tokens.to_string(),
            "between 1 and 1048576",
        )?;
        range(
            "limits.max_new_tokens",
            (1..=1 << 16).contains(&limits.max_new_tokens),
            limits.max_new_tokens.to_string(),
            "between 1 and 65536",
        )?;
        range(
            "limits.max_chunk_bytes",
            limits.max_chunk_bytes > 0
                && limits.max_chunk_bytes.is_multiple_of(1024)
                && limits.max_chunk_bytes <= 1 << 22,
            limits.max_chunk_bytes.to_string(),
            "a positive multiple of 1024, at most 4194304",
        )?;
        range(
            "limits.max_artifact_bytes",
            limits.max_artifact_bytes > 0,
            "0".into(),
            "above 0",
        )?;
        range(
            "limits.max_manifest_bytes",
            limits.max_manifest_bytes > 0,
            "0".into(),
            "above 0",
        )?;
        range(
            "limits.min_artifact_bytes_per_second",
            limits.min_artifact_bytes_per_second > 0,
            "0".into(),
            "above 0",
        )?;

        let round = &self.round;
        range(
            "round.asks_per_miner",
            round.asks_per_miner > 0,
            "0".into(),
            "above 0",
        )?;
        range(
            "round.max_in_flight",
            round.max_in_flight > 0,
            "0".into(),
            "above 0",
        )?;
        range(
            "round.deadline_ms",
            round.deadline_ms > 0,
            "0".into(),
            "above 0",
        )?;
        range(
            "round.temperatures_milli",
            !round.temperatures_milli.is_empty()
                && round.temperatures_milli.iter().all(|t| *t <= 2000),
            format!("{:?}", round.temperatures_milli),
            "a list of at least one temperature, each at most 2000",
        )?;
        unit("round.shared_share", round.shared_share)?;
        unit("round.continuation_share", round.continuation_share)?;
        unit("round.ask_window_share", round.ask_window_share)?;
        for (key, (low, high)) in [
            (
                "round.continuation_prompt_tokens",
                round.continuation_prompt_tokens,
            ),
            (
                "round.continuation_new_tokens",
                round.continuation_new_tokens,
            ),
        ] {
            range(
                key,
                0 < low && low <= high,
                format!("[{low}, {high}]"),
                "[low, high] with 0 < low <= high",
            )?;
        }
        if round.continuation_prompt_tokens.1 > limits.max_prompt_tokens {
            return Err(SpecError::Contradiction {
                left: "round.continuation_prompt_tokens",
                right: "limits.max_prompt_tokens",
                why: "a round would ask for more than the wire lets through",
            });
        }
        if round.continuation_new_tokens.1 > limits.max_new_tokens {
            return Err(SpecError::Contradiction {
                left: "round.continuation_new_tokens",
                right: "limits.max_new_tokens",
                why: "a round would ask for more than the wire lets through",
            });
        }
        if round.temperatures_milli.iter().all(|t| *t == 0) {
            return Err(SpecError::Contradiction {
                left: "round.temperatures_milli",
                right: "audit.alpha",
                why: "greedy answers carry no seed evidence, so nothing could be audited",
            });
        }

        self.tasks.check(round)?;

        range(
            "audit.alpha",
            self.audit.alpha > 0.0 && self.audit.alpha <= 0.05,
            self.audit.alpha.to_string(),
            "above 0 and at most 0.05",
        )?;
        range(
            "audit.dishonest_shares",
            !self.audit.dishonest_shares.is_empty()
                && self
                    .audit
                    .dishonest_shares
                    .iter()
                    .all(|rho| *rho > 0.0 && *rho < 1.0),
            format!("{:?}", self.audit.dishonest_shares),
            "a list of at least one share, each between 0 and 1, both excluded",
        )?;

        let grade = &self.grade;
        range(
            "grade.kl_skew",
            grade.kl_skew > 0.0 && grade.kl_skew < 1.0,
            grade.kl_skew.to_string(),
            "between 0 and 1, both excluded",
        )?;
        positive("grade.fidelity_scale", grade.fidelity_scale)?;
        positive("grade.entropy_floor", grade.entropy_floor)?;
        unit("grade.worst_share", grade.worst_share)?;
        range(
            "grade.worst_axes",
            (1..=3).contains(&grade.worst_axes),
            grade.worst_axes.to_string(),
            "between 1 and 3, the number of axes",
        )?;
        unit("grade.fidelity_weight", grade.fidelity_weight)?;
        unit("grade.correctness_weight", grade.correctness_weight)?;
        unit("grade.service_weight", grade.service_weight)?;
        positive(
            "grade.fidelity_weight + grade.correctness_weight + grade.service_weight",
            grade.fidelity_weight + grade.correctness_weight + grade.service_weight,
        )?;
        unit("grade.repetition_tolerance", grade.repetition_tolerance)?;
        unit("grade.missing_end", grade.missing_end)?;
        positive("grade.half_life_epochs", grade.half_life_epochs)?;

        self.service.check(round)?;
        self.allocation.check()
    }
}

/// Refuses a value that is not `ok`.
fn range(
    key: &'static str,
    ok: bool,
    value: String,
    expected: &'static str,
) -> Result<(), SpecError> {
    if ok {
        Ok(())
    } else {
        Err(SpecError::OutOfRange {
            key,
            value,
            expected,
        })
    }
}

/// Refuses what is no share.
fn unit(key: &'static str, value: f64) -> Result<(), SpecError> {
    let ok = (0.0..=1.0).contains(&value);
    range(key, ok, value.to_string(), "between 0 and 1")
}

/// Refuses what is not above 0.
fn positive(key: &'static str, value: f64) -> Result<(), SpecError> {
    let ok = value.is_finite() && value > 0.0;
    range(key, ok, value.to_string(), "above 0")
}

#[cfg(test)]
mod tests;
