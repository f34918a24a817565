//! Decide whether answers were sampled from the committed checkpoint, with a stated error rate.
//!
//! An answer is drawn by seeded Gumbel-max, so a replay of the checkpoint predicts every token up to honest numerical
//! noise. Each token yields a [`TokenObservation`]; a [`Calibration`] turns a request's tokens into one normalised
//! e-value, whose mean over honest requests is at most 1; a [`HotkeyEvidence`] multiplies requests up over a hotkey's
//! lifetime. By Ville's inequality the product of an honest hotkey ever reaches `1 / alpha` with probability at most
//! `alpha`, whatever the number of looks, as far as the calibration covers the hardware in use.

mod bins;
pub mod bounds;
mod calibration;
mod fit;
mod hotkey;
pub mod power;

pub use bins::{Bins, Cell};
pub use calibration::{
    Alternative, Calibration, CalibrationError, GroupCount, Products, Provenance,
};
pub use fit::{FitError, FitInput, ForgerGroup, HonestGroup};
pub use hotkey::HotkeyEvidence;

use codec::{Decode, Encode};

pub(crate) use calibration::log_sum_exp;

/// What one replayed token says, in units of `logit / temperature + Gumbel draw` (nats).
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
pub struct TokenObservation {
    /// Best score of the replay minus the score of the claimed token: 0 when the claimed token is the replay's own.
    pub margin: f32,
    /// Best score minus second best score of the replay: how easily honest noise flips this token.
    pub gap: f32,
}

#[cfg(test)]
mod tests;
