//! What taking part costs, in units that honest and dishonest participants share.

use serde::{Deserialize, Serialize};

/// Seconds of an epoch of 360 blocks of 12 seconds: what one card gives in it.
const CARD_EPOCH: f64 = 4_320.0;

/// What one identity costs. Rates are per epoch, registrations are paid when they happen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// GPU-seconds per epoch, of all its machines: training, serving, grading.
    pub gpu_seconds: f64,
    /// Share of the subnet's stake that is bound, per epoch, in thousandths: stake-epochs. A validator's comes from the
    /// population, and what stands here is added to it.
    pub stake_epochs: f64,
    /// Registration burns at its start; further ones are counted where its conduct makes them.
    pub registrations: f64,
}

impl Cost {
    /// An honest miner: one card, which trains four fifths of the time and serves for one fifth.
    pub const HONEST_MINER: Self = Self {
        gpu_seconds: CARD_EPOCH,
        stake_epochs: 0.0,
        registrations: 1.0,
    };
    /// A miner that serves a model and trains none.
    pub const SERVING: Self = Self {
        gpu_seconds: 0.2 * CARD_EPOCH,
        ..Self::HONEST_MINER
    };
    /// A miner that serves nothing that it would have to compute.
    pub const IDLE: Self = Self {
        gpu_seconds: 0.01 * CARD_EPOCH,
        ..Self::HONEST_MINER
    };
    /// An honest validator, beside its stake: a fifth of a card for the teacher and the replays.
    pub const HONEST_VALIDATOR: Self = Self {
        gpu_seconds: 0.2 * CARD_EPOCH,
        stake_epochs: 0.0,
        registrations: 1.0,
    };
    /// A validator that grades nobody, beside its stake.
    pub const IDLE_VALIDATOR: Self = Self {
        gpu_seconds: 0.0,
        ..Self::HONEST_VALIDATOR
    };

    /// This cost with another use of GPUs, in GPU-seconds per epoch.
    pub const fn with_gpu_seconds(self, gpu_seconds: f64) -> Self {
        Self {
            gpu_seconds,
            ..self
        }
    }

    /// Everything over so many epochs, as one number in GPU-seconds. `registrations` is how many were paid.
    pub fn total(&self, epochs: f64, registrations: f64, stake: f64, prices: &Prices) -> f64 {
        epochs * (self.gpu_seconds + prices.stake_epoch * (self.stake_epochs + stake))
            + prices.registration * registrations
    }
}

/// What turns costs into one number: everything in GPU-seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// GPU-seconds that one registration burn is worth.
    pub registration: f64,
    /// GPU-seconds that binding a thousandth of the subnet's stake for an epoch is worth.
    pub stake_epoch: f64,
}

impl Default for Prices {
    /// A registration for a card-day (0.1 to 1 TAO against a rented card), and stake at what its capital would earn
    /// elsewhere: both are the population's to say.
    fn default() -> Self {
        Self {
            registration: 20.0 * CARD_EPOCH,
            stake_epoch: 0.05 * CARD_EPOCH,
        }
    }
}
