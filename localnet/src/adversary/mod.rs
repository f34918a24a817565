//! The red team: one file per cheat, each on the real network with a real miner's admission, signatures and keys.

use crate::report::HONEST;

pub mod copycat;
pub mod ignored_seed;
pub mod looper;
pub mod relay;

/// How a miner behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Serves what it committed to.
    Honest,
    /// Republishes another miner's checkpoint as its own.
    Copycat,
    /// Answers with another server's model while claiming its own.
    Relay,
    /// Samples with randomness of its own.
    IgnoredSeed,
    /// Commits to a model that repeats itself.
    Looper,
}

impl Behaviour {
    /// One of each cheat.
    pub const CHEATS: [Self; 4] = [Self::Copycat, Self::Relay, Self::IgnoredSeed, Self::Looper];

    /// Stable name, as the report shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Honest => HONEST,
            Self::Copycat => "copycat",
            Self::Relay => "relay",
            Self::IgnoredSeed => "ignored_seed",
            Self::Looper => "looper",
        }
    }
}
