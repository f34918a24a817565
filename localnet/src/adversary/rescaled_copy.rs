//! Republishes the best honest miner's checkpoint with its units rescaled, so that other tensors say the same.
//!
//! Expected: `copy`, as for a noisy copy, because the distance of the weights sees through scales.

use athanor_miner::Behaviour as Conduct;

use super::{AttackError, Driver, Scene, Seat, Stage, forge, scene::COPIED_AFTER};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "rescaled_copy",
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
    let rescaled = forge::rescaled(&scene.best.tensors()?, scene.seed);
    let copy = forge::rewritten(&scene.best, &rescaled, scene.seed, &scene.dir.join("copy"))?;
    scene.serve(&copy, Conduct::Honest).await
}
