//! Republishes the best honest miner's checkpoint: same tensors, a manifest that says otherwise.
//!
//! Expected: `copy`, because the tensors were committed earlier by somebody else, whatever the manifest's digest is; or, where
//! the author has trained on by then, because they are of the class of what its line of models goes on with.

use athanor_miner::Behaviour as Conduct;

use super::{AttackError, Driver, Scene, Seat, Stage, forge, scene::COPIED_AFTER};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "copycat",
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
    let copy = forge::renamed(&scene.best, scene.seed, &scene.dir.join("copy"))?;
    scene.serve(&copy, Conduct::Honest).await
}
