//! Republishes the best honest miner's checkpoint with its tensors spread over other files.
//!
//! Expected: `copy`, because the digest of the tensors does not depend on the files that hold them.

use athanor_miner::Behaviour as Conduct;

use super::{AttackError, Driver, Scene, Seat, Stage, forge, scene::COPIED_AFTER};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "resharded_copy",
    stage: Stage::Models,
    begins_after: COPIED_AFTER,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(mut scene: Scene) -> Result<(), AttackError> {
    if !scene.until_original_was_seen().await {
        return Ok(());
    }
    let copy = forge::resharded(&scene.best, scene.seed, &scene.dir.join("copy"))?;
    scene.serve(&copy, Conduct::Honest).await
}
