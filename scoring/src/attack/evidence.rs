//! What the audit sees of forged answers, as far as pay depends on it.
//!
//! The normalised e-value of a request is taken to have one of two values. Shares and values are chosen so that the mean
//! and the openings to a verdict are those that `docs/audit.md` measured on real models with the shipped calibration: a
//! whole table of tokens would make the simulator slow and say the same.

/// The distribution of a request's normalised e-value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draws {
    /// Probability of [`Self::caught`].
    pub share: f64,
    /// The e-value of an answer in which the forgery shows.
    pub caught: f64,
    /// The e-value of any other answer.
    pub missed: f64,
}

impl Draws {
    /// The committed checkpoint: mean 0.091, never above 2.
    pub const HONEST: Self = Self::always(0.091);
    /// Own randomness: mean 74, condemned after 7 openings in the median.
    pub const IGNORED_SEED: Self = Self::two(0.62, 119.0);
    /// The teacher's answers: mean 63, 8 openings.
    pub const TEACHER: Self = Self::two(0.55, 114.0);
    /// A sibling's answers: mean 52, 10 openings.
    pub const SIBLING: Self = Self::two(0.47, 111.0);
    /// Weights in 4 bits: mean 42, 13 openings.
    pub const FOUR_BITS: Self = Self::two(0.40, 105.0);
    /// Weights in 8 bits: mean 0.15, not found within 3,000 openings.
    pub const EIGHT_BITS: Self = Self::always(0.15);
    /// Choosing between near-tied tokens as often as honest noise does: mean 0.097, not found.
    pub const STEERING: Self = Self::always(0.097);

    const fn always(value: f64) -> Self {
        Self {
            share: 0.0,
            caught: value,
            missed: value,
        }
    }

    const fn two(share: f64, caught: f64) -> Self {
        Self {
            share,
            caught,
            missed: 0.2,
        }
    }

    /// Its mean.
    pub fn mean(&self) -> f64 {
        self.share * self.caught + (1.0 - self.share) * self.missed
    }
}
