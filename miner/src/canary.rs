//! Trying a new checkpoint before anybody depends on it.
//!
//! The checkpoint is loaded from disk by the code that will serve it. One that comes from the own trainer must reach the
//! loss that the trainer measured in memory: what was written, rounded and read back is then what was trained.

use std::sync::{Arc, OnceLock};

use athanor_distill::{
    shard::{RecordError, Recorded, Shard, ShardPlan},
    source::Source,
    trainer::TrainerConfig,
};
use athanor_model::{
    Checkpoint, DeviceChoice,
    engine::LoadError,
    scorer::{ScoreError, Scorer},
};
use athanor_spec::telemetry::HeldOut;
use thiserror::Error;

/// How far the loss may lie from the trainer's, in nats per token: half precision moves it by a thousandth.
const TOLERANCE: f64 = 0.02;
/// ... and as a share of the loss itself.
const TOLERANCE_SHARE: f64 = 0.02;
/// Tokens of the shortest trial: enough to fill a few positions of the cache.
const SMOKE_TOKENS: [u32; 4] = [1, 2, 3, 1];
/// Two-sided 95 % of a standard normal.
const Z: f64 = 1.96;

/// Why a checkpoint is not to be served.
#[derive(Debug, Error)]
pub(crate) enum CanaryError {
    /// It cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It cannot compute what is asked of it.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The teacher cannot be asked about the held-out texts.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It computes infinities or worse.
    #[error("the checkpoint computes numbers that are not finite")]
    NotFinite,
    /// It is not what the trainer measured.
    #[error("held-out loss {found:.4} nats per token, but the trainer measured {claimed:.4}")]
    Loss {
        /// The loss from disk.
        found: f64,
        /// The loss that the manifest claims.
        claimed: f64,
    },
}

/// Held-out items on which a miner's checkpoints are compared: always the same ones.
pub(crate) struct Trial {
    source: Arc<Source>,
    plan: ShardPlan,
    first: Checkpoint,
    /// Recorded when the first checkpoint is tried: it takes the teacher a second or two, which a start has no time for.
    items: OnceLock<Items>,
}

struct Items {
    shard: Shard,
    /// Loss of the first checkpoint on each item, nats per token.
    first: Vec<f64>,
}

impl Trial {
    /// The very items that the trainer of `config` measures on; progress is measured against `first`.
    pub(crate) fn new(source: Arc<Source>, config: &TrainerConfig, first: Checkpoint) -> Self {
        let plan = ShardPlan {
            seed: !config.seed,
            items: config.held_out / 2,
            passages: 0,
            continuations: config.held_out - config.held_out / 2,
        };
        Self {
            source,
            plan,
            first,
            items: OnceLock::new(),
        }
    }

    fn items(&self, device: DeviceChoice) -> Result<&Items, CanaryError> {
        if let Some(items) = self.items.get() {
            return Ok(items);
        }
        let shard = Shard::record(&self.source, &self.source.held_out, &self.plan, device)?;
        let first = losses(&Scorer::load(&self.first, device)?, &shard)?;
        Ok(self.items.get_or_init(|| Items { shard, first }))
    }
}

impl Items {
    /// How a checkpoint with these losses does against the first one.
    fn compare(&self, losses: &[f64]) -> HeldOut {
        let gains: Vec<f64> = self
            .first
            .iter()
            .zip(losses)
            .map(|(first, now)| first - now)
            .collect();
        let n = gains.len().max(1) as f64;
        let improvement = mean(&gains);
        let variance = gains
            .iter()
            .map(|gain| (gain - improvement).powi(2))
            .sum::<f64>()
            / (n - 1.0).max(1.0);
        HeldOut {
            loss: mean(losses),
            improvement,
            improvement_low: improvement - Z * (variance / n).sqrt(),
            items: gains.len() as u32,
        }
    }
}

/// Loads a checkpoint and tries it. With a trial, also compares it with the manifest's claim, and returns how it does on
/// held-out items against the first checkpoint.
pub(crate) fn check(
    checkpoint: &Checkpoint,
    device: DeviceChoice,
    trial: Option<&Trial>,
) -> Result<Option<HeldOut>, CanaryError> {
    let scorer = Scorer::load(checkpoint, device)?;
    let smoke = scorer.logits(&SMOKE_TOKENS, SMOKE_TOKENS.len())?;
    if !smoke.row(0).iter().all(|logit| logit.is_finite()) {
        return Err(CanaryError::NotFinite);
    }
    let Some(trial) = trial else { return Ok(None) };
    let items = trial.items(device)?;
    let losses = losses(&scorer, &items.shard)?;
    let (found, claimed) = (
        mean(&losses),
        f64::from(checkpoint.manifest.training.heldout_loss),
    );
    // Written so that a loss that is not a number fails too.
    if (found - claimed).abs() <= TOLERANCE + TOLERANCE_SHARE * claimed {
        Ok(Some(items.compare(&losses)))
    } else {
        Err(CanaryError::Loss { found, claimed })
    }
}

/// KL( teacher || student ) of each item in nats per counted token, from the logits of the code that serves.
fn losses(scorer: &Scorer, items: &Shard) -> Result<Vec<f64>, CanaryError> {
    items
        .examples
        .iter()
        .map(|Recorded { example, rows }| {
            // A position's logits are those of the token after it.
            let logits = scorer.logits(&example.tokens, example.from + 1)?;
            let mut sum = 0.0;
            for (at, row) in rows.iter().enumerate() {
                sum += row.divergence(logits.row(at));
            }
            Ok(sum / rows.len().max(1) as f64)
        })
        .collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
