//! Commits to a model that says the same thing over and over, and samples from it honestly.
//!
//! Expected: no fault, as the answers are its own draws, but a liveliness near 0, which caps what it earns.

use athanor_miner::Behaviour as Conduct;

use super::{AttackError, Driver, Scene, Seat, Stage, forge};

/// How much sharper its logits are than a student's: at temperature 1 it must not wander off.
const SHARPNESS: f32 = 8.0;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "looper",
    stage: Stage::Models,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let tensors = forge::degenerate(&scene.untrained.tensors()?, SHARPNESS);
    let dir = scene.dir.join("looper");
    let looper = forge::rewritten(&scene.untrained, &tensors, scene.seed, &dir)?;
    scene.serve(&looper, Conduct::Honest).await
}
