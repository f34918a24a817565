//! Answers as slowly as the deadline allows.
//!
//! Expected: no fault; an answer beyond the objective's hard limit is worth nothing as service and counts for no goodput.

use std::time::Duration;

use athanor_miner::Behaviour as Conduct;

use super::{AttackError, Driver, Scene, Seat, Stage};

/// Share of the deadline after which it answers.
const WAITED: f64 = 0.75;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "slow_loris",
    stage: Stage::Wire,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let deadline = Duration::from_millis(scene.spec.round.deadline_ms.into());
    let conduct = Conduct::custom(move |ask, backend| async move {
        let answer_at = tokio::time::Instant::now() + deadline.mul_f64(WAITED);
        let drawn = backend.draft(&ask).await?;
        tokio::time::sleep_until(answer_at).await;
        Ok(drawn)
    });
    let own = scene.trained.clone();
    scene.serve(&own, conduct).await
}
