//! Republishes the best honest miner's checkpoint with a little noise on every weight.
//!
//! Expected: `copy`, because it is nearer to the author's model than independent students come, by what it says and by its
//! weights, and the author's line of models is older.

use athanor_miner::Behaviour as Conduct;

use super::{AttackError, Driver, Scene, Seat, Stage, forge, scene::COPIED_AFTER};

/// Noise as a share of each matrix's deviation.
const NOISE: f32 = 0.01;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "noisy_copy",
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
    let noisy = forge::noisy(&scene.best.tensors()?, NOISE, scene.seed);
    let copy = forge::rewritten(&scene.best, &noisy, scene.seed, &scene.dir.join("copy"))?;
    scene.serve(&copy, Conduct::Honest).await
}
