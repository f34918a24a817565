//! Settings that a running miner takes over when it is told to read them again.

use std::time::Duration;

use athanor_miner::{
    Tunables, Upkeep,
    admission::{Allowance, Weight},
};
use athanor_node::{
    ExternalArgs,
    args::{Bytes, bytes},
};
use clap::Args;

/// What can change while a miner runs: all of it, and nothing else.
#[derive(Args, Clone, Debug)]
pub(crate) struct TunableArgs {
    #[command(flatten)]
    external: ExternalArgs,
    /// Bytes that the data directory may take, such as 20GB: the oldest checkpoints beyond go, none that is served, committed or
    /// trained on [default: the newest three checkpoints stay]
    #[arg(long = "data.quota", alias = "data-quota", value_name = "BYTES", value_parser = bytes)]
    data_quota: Option<Bytes>,
    /// Share of one core, or of a card's time, that training takes while nobody asks, above 0 and at most 1
    #[arg(
        long = "distill.duty",
        alias = "distill-duty",
        value_name = "SHARE",
        default_value_t = 0.5
    )]
    distill_duty: f64,
    /// Model tokens per second, prompt and answer, that the validator with the largest stake may use; others less, by stake
    #[arg(long = "allowance.rate", alias = "allowance-rate", value_name = "TOKENS", default_value_t = Allowance::default().tokens_per_second)]
    allowance_rate: u32,
    /// Model tokens that it may use at once after a pause
    #[arg(long = "allowance.burst", alias = "allowance-burst", value_name = "TOKENS", default_value_t = Allowance::default().burst_tokens)]
    allowance_burst: u32,
    /// What the smallest validator counts for at least, in its share of tokens and in the queue, as a part of the largest
    #[arg(long = "allowance.floor", alias = "allowance-floor", value_name = "SHARE", default_value = "0.25", value_parser = floor)]
    allowance_floor: Weight,
    /// Seconds that requests in progress have when the miner is told to end
    #[arg(long = "drain.seconds", alias = "drain-seconds", value_name = "SECONDS", default_value_t = Upkeep::default().drain.as_secs())]
    drain_seconds: u64,
}

impl TunableArgs {
    pub(crate) fn tunables(&self) -> Tunables {
        Tunables {
            allowance: Allowance {
                tokens_per_second: self.allowance_rate,
                burst_tokens: self.allowance_burst,
                floor: self.allowance_floor,
            },
            upkeep: Upkeep {
                drain: Duration::from_secs(self.drain_seconds),
                quota: self.data_quota.map(|Bytes(bytes)| bytes),
            },
            external: self.external.address(),
            duty: Some(self.distill_duty),
        }
    }
}

/// A share above 0 and at most 1, to a thousandth.
fn floor(text: &str) -> Result<Weight, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 1.0 => {
            Ok(Weight::new((share * 1000.0).round() as u16))
        }
        _ => Err("it must be a number above 0 and at most 1".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_a_share() {
        assert_eq!(floor("0.25"), Ok(Weight::new(250)));
        for wrong in ["0", "1.5", "NaN", "x"] {
            assert!(floor(wrong).is_err(), "{wrong}");
        }
    }
}
