//! Sends answers that were signed for other asks.
//!
//! Expected: `bad_answer`, because an answer names the hash of its ask under the signature.

use super::{AttackError, Driver, Scene, Seat, Stage, answers};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "replayer",
    stage: Stage::Wire,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let _impostor = scene.impostor(0, answers::another_ask).await?;
    scene.ready();
    scene.stop.cancelled().await;
    Ok(())
}
