//! The screens.

/// A screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// The subnet at a glance.
    #[default]
    Overview,
    /// All neurons.
    Metagraph,
    /// One miner.
    Miner,
    /// One validator.
    Validator,
    /// Rounds as they go.
    Rounds,
    /// Who works together.
    Collusion,
    /// Rules, extrinsics and events.
    Chain,
    /// What happened.
    Log,
}

impl View {
    /// All of them, in the order of their keys 1 to 8.
    pub const ALL: [Self; 8] = [
        Self::Overview,
        Self::Metagraph,
        Self::Miner,
        Self::Validator,
        Self::Rounds,
        Self::Collusion,
        Self::Chain,
        Self::Log,
    ];

    /// Name for a person, and for `--screen` in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Metagraph => "Metagraph",
            Self::Miner => "Miner",
            Self::Validator => "Validator",
            Self::Rounds => "Rounds",
            Self::Collusion => "Collusion",
            Self::Chain => "Chain",
            Self::Log => "Logs",
        }
    }

    pub(super) fn index(self) -> usize {
        Self::ALL.iter().position(|view| *view == self).unwrap_or(0)
    }
}
