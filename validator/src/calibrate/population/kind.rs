//! Kinds of servers: every way to be honest, and every way not to be.

use athanor_model::{DeviceChoice, WeightFormat};

/// How long prompts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// As a round draws them.
    Short,
    /// Three quarters of the longest prompt that the spec lets through, or more, and answers as long as it allows.
    Long,
}

/// An honest miner: what it computes with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Honest {
    pub(super) device: DeviceChoice,
    pub(super) weights: WeightFormat,
    pub(super) slots: usize,
    pub(super) context: Context,
    /// Noise on the replayed logits, in nats.
    pub(crate) noise: f32,
}

/// A miner that does not answer from the checkpoint that it commits to, at the temperature and by the seed that it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forger {
    /// Draws of its own.
    IgnoredSeed,
    /// The likeliest token.
    Greedy,
    /// A temperature higher by a tenth.
    Hotter,
    /// A temperature lower by a tenth.
    Colder,
    /// The layers' matrices in 4 bits.
    FourBit,
    /// All matrices in 8 bits, as the engine's `int8`.
    EightBit,
    /// The token that the checkpoint says most often, again and again.
    Constant,
    /// Another student of the same size.
    Sibling,
    /// A student with fewer parameters.
    Smaller,
    /// The teacher.
    Teacher,
}

impl Forger {
    /// All, in the order of the report.
    pub(crate) const ALL: [Self; 10] = [
        Self::IgnoredSeed,
        Self::Greedy,
        Self::Sibling,
        Self::Hotter,
        Self::Colder,
        Self::FourBit,
        Self::EightBit,
        Self::Constant,
        Self::Smaller,
        Self::Teacher,
    ];

    /// Stable name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::IgnoredSeed => "ignored_seed",
            Self::Greedy => "greedy",
            Self::Hotter => "temperature_high_by_a_tenth",
            Self::Colder => "temperature_low_by_a_tenth",
            Self::FourBit => "weights_in_4_bits",
            Self::EightBit => "weights_in_8_bits",
            Self::Constant => "best_constant",
            Self::Sibling => "sibling",
            Self::Smaller => "smaller_model",
            Self::Teacher => "teacher",
        }
    }
}

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Honest.
    Honest(Honest),
    /// Not.
    Forger(Forger),
}

impl Kind {
    /// What it is called in tables and reports.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Forger(forger) => forger.name().to_owned(),
            Self::Honest(honest) => {
                let prompts = match honest.context {
                    Context::Short => "short prompts",
                    Context::Long => "long prompts",
                };
                let noise = match honest.noise > 0.0 {
                    true => format!(", noise of {} nats", honest.noise),
                    false => String::new(),
                };
                format!(
                    "{} {}, batch {}, {prompts}{noise}",
                    honest.device, honest.weights, honest.slots
                )
            }
        }
    }
}
