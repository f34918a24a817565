//! `[service]`: what counts as fast enough, and how it is measured under load.

use serde::{Deserialize, Serialize};

use super::{RoundParams, SpecError, positive, range};

/// Service-level objective, in bands, and the load under which goodput is measured.
///
/// An answer is worth 1 while both of its times are good enough (a dead zone: faster gains nothing), 0 where one of them
/// is `hard_factor` times that, and in between what the worse of the two says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceParams {
    /// Time to first token that is good enough, in milliseconds.
    pub ttft_ms: u32,
    /// Time per token after the first that is good enough, in milliseconds.
    pub per_token_ms: u32,
    /// Multiple of these times at which an answer is worth nothing.
    pub hard_factor: f64,
    /// The reference that goodput is measured in: tokens per second within the objective, over all streams of a load
    /// probe.
    pub goodput_tokens_per_second: f64,
    /// Load probes of a round: moments, unknown before, at which a random half of all miners gets several of its asks at
    /// once. These are asks like any other, no additional ones: a probe costs a miner no token that it would not have
    /// been asked for.
    pub load_probes: u32,
    /// Asks that a miner gets at once in a load probe. One stream sees almost nothing of a shared card; 8 are advised
    /// where miners have cards.
    pub load_streams: u32,
}

impl ServiceParams {
    pub(super) fn check(&self, round: &RoundParams) -> Result<(), SpecError> {
        range("service.ttft_ms", self.ttft_ms > 0, "0".into(), "above 0")?;
        range(
            "service.per_token_ms",
            self.per_token_ms > 0,
            "0".into(),
            "above 0",
        )?;
        range(
            "service.hard_factor",
            self.hard_factor > 1.0 && self.hard_factor.is_finite(),
            self.hard_factor.to_string(),
            "above 1",
        )?;
        positive(
            "service.goodput_tokens_per_second",
            self.goodput_tokens_per_second,
        )?;
        range(
            "service.load_streams",
            (1..=256).contains(&self.load_streams),
            self.load_streams.to_string(),
            "between 1 and 256",
        )?;
        // The shared prompts keep times of their own, so that they say nothing about who is loaded.
        let shared = f64::from(round.asks_per_miner) * round.shared_share;
        let own = f64::from(round.asks_per_miner) - shared.round();
        if f64::from(self.load_probes) * f64::from(self.load_streams) > own {
            return Err(SpecError::Contradiction {
                left: "service.load_probes",
                right: "round.asks_per_miner",
                why: "load probes would need more asks than a miner gets beside the shared prompts",
            });
        }
        Ok(())
    }
}
