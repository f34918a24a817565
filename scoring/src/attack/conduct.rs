//! How participants behave, in the terms in which pay is computed.
//!
//! A conduct is a function of what its player can know. What a miner does becomes the distributions of what validators
//! measure of it; what a validator does becomes its row of weights.

use super::Draws;

/// Divergence of an answer that has nothing of the teacher's, ln(1 / s) for a skew s = 0.1, in nats per nat.
pub const WORST_DIVERGENCE: f64 = std::f64::consts::LN_10;

/// What a miner delivers: means of what validators measure of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skill {
    /// Divergence on its own rollouts, in nats per nat of the teacher's entropy.
    pub divergence: f64,
    /// Divergence on the teacher's continuations, in the same unit.
    pub forced_divergence: f64,
    /// Credit on checkable items, in [0, 1].
    pub correctness: f64,
    /// Liveliness in [0, 1].
    pub liveliness: f64,
    /// Worth of the time of its answers, in [0, 1].
    pub service: f64,
    /// Goodput of its machine under load, in references of the spec; hotkeys that share one divide it while all are loaded.
    pub goodput: f64,
    /// Probability that an ask is answered.
    pub answered: f64,
}

/// What a miner can know before it acts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scene {
    /// Epoch, from 0.
    pub epoch: u64,
    /// Epochs since it registered.
    pub age: u64,
    /// Which identity of the attacker this is, from 0.
    pub member: u32,
    /// Identities of the attacker.
    pub members: u32,
    /// What it would deliver by honest work with one card.
    pub own: Skill,
    /// What it would deliver if it had never trained.
    pub untrained: Skill,
    /// What the best honest miner delivers with the checkpoint that it published last.
    pub best: Skill,
    /// What the teacher itself delivers from one card.
    pub teacher: Skill,
}

/// Noise, as a share of each matrix's deviation, up to which validators take every copy for what it is ...
pub const ALWAYS_FOUND: f64 = 0.35;
/// ... and from which on they take none: what it has in common with its original lies below the bound (docs/similarity.md).
pub const NEVER_FOUND: f64 = 0.4;

/// The probability that a copy with so much noise on its weights is found.
pub fn found(noise: f64) -> f64 {
    ((NEVER_FOUND - noise) / (NEVER_FOUND - ALWAYS_FOUND)).clamp(0.0, 1.0)
}

/// Whose tensors a commitment names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tensors {
    /// Its own, which change when it publishes a better checkpoint.
    Own,
    /// Its own, new in every epoch.
    Fresh,
    /// Made from those of the best honest miner, new whenever that one publishes.
    Derived {
        /// Noise on every matrix, as a share of its deviation.
        noise: f64,
    },
    /// Those of all identities of the attacker together.
    Group,
    /// Those that the best honest miner committed to before.
    OfTheBest,
}

/// What becomes of the committed artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It is fetched and verified.
    Verified,
    /// It cannot be had.
    Missing,
    /// It can never be what the commitment says.
    Bad,
}

/// What a miner does in an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Play {
    /// What validators measure of it.
    pub skill: Skill,
    /// Whose tensors it commits to.
    pub tensors: Tensors,
    /// What becomes of its artifact.
    pub artifact: Served,
    /// Share of its answers that are not draws of the committed checkpoint.
    pub forged: f64,
    /// What the audit sees of those.
    pub draws: Draws,
    /// Whether it signs what proves its misconduct.
    pub misconduct: bool,
    /// Share of every other miner's service that it takes away by loading them.
    pub burden: f64,
    /// Whether it gives up its registration for a new one at the beginning of this epoch.
    pub registers_anew: bool,
}

impl Play {
    /// Honest work of this skill.
    pub fn honest(skill: Skill) -> Self {
        Self {
            skill,
            tensors: Tensors::Own,
            artifact: Served::Verified,
            forged: 0.0,
            draws: Draws::HONEST,
            misconduct: false,
            burden: 0.0,
            registers_anew: false,
        }
    }
}

/// What a validator can know before it votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Epoch, from 0.
    pub epoch: u64,
    /// Which identity of the attacker this is, from 0.
    pub member: u32,
    /// Identities of the attacker.
    pub members: u32,
}

/// Where a row of weights comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// Its own grades.
    Graded,
    /// The consensus that the chain shows.
    Consensus,
    /// The row that it set before, whatever happened since.
    Kept,
}

/// What becomes of a committed row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reveal {
    /// It is revealed when it is due.
    InTime,
    /// It is not revealed in time and lost: the row before stays.
    Never,
}

/// What a validator does in an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vote {
    /// Share of a round's asks that it makes and grades.
    pub diligence: f64,
    /// Where its row comes from.
    pub row: Row,
    /// Share of its row that goes to the miners that it favours instead: those of its own operator.
    pub favour: f64,
    /// Whether it submits anything.
    pub submits: bool,
    /// What becomes of it.
    pub reveal: Reveal,
}

impl Vote {
    /// Grades everything and votes what it found.
    pub const HONEST: Self = Self {
        diligence: 1.0,
        row: Row::Graded,
        favour: 0.0,
        submits: true,
        reveal: Reveal::InTime,
    };
}

/// How an attacker behaves: what each of its identities does in an epoch.
#[derive(Clone, Copy, Debug)]
pub enum Conduct {
    /// As a miner.
    Miner(fn(&Scene) -> Play),
    /// As a validator.
    Validator(fn(&Poll) -> Vote),
}
