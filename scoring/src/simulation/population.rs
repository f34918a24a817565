//! Who takes part: groups of miners and validators, the chain's rules, prices and noise.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::HONEST;
use crate::attack::{self, Attack, Prices};

mod check;

/// An inclusive range from which a miner's own value is drawn, uniformly.
pub type Range = (f64, f64);

/// Everything about a simulated subnet but its spec.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// The chain's rules.
    #[serde(default)]
    pub chain: ChainRules,
    /// What turns costs into one number.
    #[serde(default)]
    pub prices: Prices,
    /// How much measurements scatter.
    #[serde(default)]
    pub noise: Noise,
    /// Miners, by group.
    pub miners: Vec<MinerGroup>,
    /// Validators, by group.
    pub validators: Vec<ValidatorGroup>,
}

/// Hyperparameters of the subnet on chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChainRules {
    /// Blocks of an epoch.
    pub tempo: u16,
    /// Epochs from a commit of weights to their reveal; 0 turns commit-reveal off.
    pub reveal_epochs: u64,
    /// Share of stake that decides the consensus.
    pub kappa: f64,
    /// Share of old bonds that survives an epoch.
    pub bonds_moving_average: f64,
    /// How far bonds follow clipped weights, in [0, 1].
    pub bonds_penalty: f64,
    /// Whether bonds are moving averages per pair.
    pub yuma3: bool,
    /// Smoothing of bonds per pair, if it is on.
    pub liquid_alpha: Option<Liquid>,
    /// Epochs after its last weights for which a validator counts.
    pub activity_cutoff_epochs: f64,
    /// Fewest UIDs in a row of weights.
    pub min_allowed_weights: u16,
    /// Largest share of one UID in a row.
    pub max_weight: f64,
    /// Alpha that miners and validators share in an epoch.
    pub emission: f64,
}

/// Liquid alpha.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Liquid {
    /// Lowest smoothing.
    pub low: f64,
    /// Highest smoothing.
    pub high: f64,
    /// Slope of the sigmoid between them.
    pub steepness: f64,
}

impl Default for ChainRules {
    /// Bittensor's defaults for new subnets.
    fn default() -> Self {
        Self {
            tempo: 360,
            reveal_epochs: 1,
            kappa: 0.5,
            bonds_moving_average: 0.9,
            bonds_penalty: 1.0,
            yuma3: true,
            liquid_alpha: None,
            activity_cutoff_epochs: 13.889,
            min_allowed_weights: 0,
            max_weight: 1.0,
            // One alpha a block, less the owner's 18 %.
            emission: 295.2,
        }
    }
}

impl ChainRules {
    /// Epochs from commit to reveal at least, and the share of the bonds' penalty at most, that a subnet should have, so that
    /// copying weights earns no more than grading (docs/simulation.md). A row that is copied shall be an old one; and a
    /// validator that says of a miner what the others do not say yet, or says it less exactly than all of them together, shall
    /// not lose its bonds for that.
    pub const RECOMMENDED: (u64, f64) = (3, 0.5);

    /// Bittensor's defaults, with what a subnet's owner should set otherwise.
    pub fn recommended() -> Self {
        let (reveal_epochs, bonds_penalty) = Self::RECOMMENDED;
        Self {
            reveal_epochs,
            bonds_penalty,
            ..Self::default()
        }
    }
}

/// Standard deviations of what one ask (or one load probe) measures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Noise {
    /// Of the divergence on one answer, as a share of its mean.
    pub divergence: f64,
    /// Of how hard a prompt is for everybody, as a share of the mean divergence.
    pub prompt: f64,
    /// Of the credit on one item.
    pub correctness: f64,
    /// Of the worth of one answer's time.
    pub service: f64,
    /// Of the goodput that one load probe measures, as a share of its mean.
    pub goodput: f64,
}

impl Default for Noise {
    fn default() -> Self {
        Self {
            divergence: 0.6,
            prompt: 0.5,
            correctness: 0.35,
            service: 0.1,
            goodput: 0.15,
        }
    }
}

/// Miners of one behaviour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinerGroup {
    /// Name in reports; the behaviour if it is left out.
    #[serde(default)]
    pub name: String,
    /// `honest`, or the name of an attack.
    pub behaviour: String,
    /// How many; for attacks of several identities, how many identities together.
    pub count: u32,
    /// Epoch in which they register.
    #[serde(default)]
    pub joins: u64,
    /// What they are able to do by honest work.
    #[serde(default)]
    pub skill: SkillRange,
}

/// Quality, drift and latency of miners: each has values of its own, drawn from these ranges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SkillRange {
    /// Divergence from the teacher at registration, in nats per nat of the teacher's entropy.
    pub divergence: Range,
    /// Divergence that training approaches.
    pub divergence_trained: Range,
    /// Credit on checkable items at registration.
    pub correctness: Range,
    /// Credit that training approaches.
    pub correctness_trained: Range,
    /// Epochs in which training covers half of the way that is left.
    pub half_life: Range,
    /// Epochs between the checkpoints that a miner publishes.
    pub publish_every: u64,
    /// Median time to first token in milliseconds.
    pub ttft_ms: Range,
    /// Median time per token after it, in milliseconds.
    pub per_token_ms: Range,
    /// Spread of an answer's times: standard deviation of their logarithm.
    pub jitter: f64,
    /// Tokens per second within the objective, under load.
    pub tokens_per_second: Range,
    /// Probability that an ask is answered.
    pub answered: Range,
}

impl Default for SkillRange {
    /// What the students of a local subnet reach (fidelity 0.3 to 0.75, credit 0.5 to 0.97), on machines of their own.
    fn default() -> Self {
        Self {
            divergence: (0.45, 0.6),
            divergence_trained: (0.12, 0.35),
            correctness: (0.45, 0.6),
            correctness_trained: (0.7, 0.97),
            half_life: (20.0, 60.0),
            publish_every: 10,
            ttft_ms: (300.0, 2_000.0),
            per_token_ms: (20.0, 70.0),
            jitter: 0.3,
            tokens_per_second: (14.0, 42.0),
            answered: (0.98, 1.0),
        }
    }
}

/// Validators of one behaviour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorGroup {
    /// Name in reports; the behaviour if it is left out.
    #[serde(default)]
    pub name: String,
    /// `honest`, or the name of an attack.
    pub behaviour: String,
    /// How many.
    pub count: u32,
    /// Stake of each, in any unit that all groups share.
    pub stake: f64,
    /// Name of the group of miners that its operator owns: those that an attack favours.
    #[serde(default)]
    pub favours: Option<String>,
}

/// Why a population cannot be simulated.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PopulationError {
    /// A behaviour that is in no catalogue.
    #[error(
        "group `{group}`: unknown behaviour `{behaviour}`; known are `honest` and the attacks that `simulate --catalogue` lists"
    )]
    UnknownBehaviour {
        /// The group.
        group: String,
        /// Its behaviour.
        behaviour: String,
    },
    /// An attack of the other side.
    #[error("group `{group}`: `{behaviour}` is not played by a {side}")]
    WrongSide {
        /// The group.
        group: String,
        /// Its behaviour.
        behaviour: String,
        /// The side that the group is on.
        side: &'static str,
    },
    /// Two groups of one name.
    #[error("two groups are called `{group}`: give them a `name` of their own")]
    SameName {
        /// The name.
        group: String,
    },
    /// A favoured group that is not there.
    #[error("group `{group}` favours `{favours}`, which is no group of miners")]
    UnknownFavourite {
        /// The group.
        group: String,
        /// Whom it favours.
        favours: String,
    },
    /// Nobody on one side, or no stake.
    #[error("a subnet needs at least one {what}")]
    Nobody {
        /// What is missing.
        what: &'static str,
    },
    /// More members than the chain's numbers of UIDs reach.
    #[error(
        "{members} members; a subnet holds at most {}",
        Population::MAX_MEMBERS
    )]
    TooMany {
        /// How many were asked for.
        members: u64,
    },
    /// A value that means nothing.
    #[error("`{key}` of `{group}` is {value}, but it must be {expected}")]
    OutOfRange {
        /// Group, or `chain` and `noise`.
        group: String,
        /// Key.
        key: &'static str,
        /// What was found.
        value: String,
        /// What would be valid.
        expected: &'static str,
    },
}

impl Population {
    /// Most miners and validators together.
    pub const MAX_MEMBERS: u64 = 4_096;
}

/// The attack of a behaviour, `None` for honest work, and an error for what is neither.
pub(super) fn attack_of(behaviour: &str) -> Result<Option<&'static Attack>, ()> {
    if behaviour == HONEST {
        return Ok(None);
    }
    attack::find(behaviour).map(Some).ok_or(())
}
