//! Makes and grades a tenth of the asks.
//!
//! It is a validator as all others, with a spec of its own that asks less.

use super::{AttackError, Driver, Scene, Seat, Stage};

/// It makes one ask in so many.
const ONE_IN: u32 = 10;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "lazy_validator",
    stage: Stage::Votes,
    begins_after: 0,
    seats: &[Seat::Validator { stake: 50 }],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let mut spec = scene.spec.clone();
    spec.round.asks_per_miner = (spec.round.asks_per_miner / ONE_IN).max(1);
    spec.service.load_probes = 0;
    let validator = scene.validator(0, spec).await?;
    scene.ready();
    scene.stop.cancelled().await;
    if let Err(error) = validator.shutdown().await {
        tracing::debug!(%error, "the lazy validator ended");
    }
    Ok(())
}
