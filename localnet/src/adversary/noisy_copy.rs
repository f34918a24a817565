//! Republishes the best honest miner's checkpoint with a little noise on every weight.
//!
//! Expected: no fault, as the tensors are new and the answers their own draws; shown as `similar`. What it earns is what the
//! copied model is worth to whoever is served by it.

use athanor_miner::Behaviour as Conduct;

use super::{AttackError, Driver, Scene, Seat, Stage, forge};

/// Noise as a share of each matrix's deviation.
const NOISE: f32 = 0.01;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "noisy_copy",
    stage: Stage::Models,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: Some("what honest miners gain by training while the copy is being made, and what the copier saves by not training"),
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let noisy = forge::noisy(&scene.best.tensors()?, NOISE, scene.seed);
    let copy = forge::rewritten(&scene.best, &noisy, scene.seed, &scene.dir.join("copy"))?;
    scene.serve(&copy, Conduct::Honest).await
}
