//! Serves bytes that are no checkpoint, or not the committed one: one seat for each kind.
//!
//! Expected: `bad_artifact`, or `wrong_checkpoint` where only a replay can tell, at a bounded cost of time and memory.

use super::{AttackError, Driver, MALFORMED, Scene, Seat, Stage};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "malformed_artifact",
    stage: Stage::Wire,
    begins_after: 0,
    seats: &[Seat::Miner; MALFORMED.len()],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let mut impostors = Vec::new();
    for (seat, make) in MALFORMED.into_iter().enumerate() {
        impostors.push(scene.impostor(seat, make).await?);
    }
    scene.ready();
    scene.stop.cancelled().await;
    Ok(())
}
