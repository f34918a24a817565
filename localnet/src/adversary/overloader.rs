//! Takes more streams than its card can serve, and has them all wait.
//!
//! Expected: no fault; what comes beyond the objective counts for no goodput, and what misses the deadline is charged.

use std::time::Duration;

use athanor_miner::Behaviour as Conduct;

use super::{AttackError, Driver, Scene, Seat, Stage};

/// Streams that it behaves as if it served beside every one that is asked for.
const CROWD: u32 = 8;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "overloader",
    stage: Stage::Wire,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let per_token = Duration::from_millis(scene.spec.service.per_token_ms.into());
    let conduct = Conduct::custom(move |ask, backend| async move {
        let drawn = backend.draft(&ask).await?;
        // A turn of a full card serves everybody one token: it takes as many times longer as there are streams beyond
        // the two that fit the objective.
        let tokens = u32::try_from(drawn.tokens.len()).unwrap_or(u32::MAX);
        tokio::time::sleep(per_token.saturating_mul(tokens).saturating_mul(CROWD / 2)).await;
        Ok(drawn)
    });
    let own = scene.trained.clone();
    scene.serve(&own, conduct).await
}
