//! Republishes the best honest miner's checkpoint: same tensors, a manifest that says otherwise.
//!
//! Expected: `copy`, because the tensors were committed earlier by somebody else, whatever the manifest's digest is.

use athanor_miner::Behaviour as Conduct;

use super::{AttackError, Driver, Scene, Seat, Stage, forge};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "copycat",
    stage: Stage::Models,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let copy = forge::renamed(&scene.best, scene.seed, &scene.dir.join("copy"))?;
    scene.serve(&copy, Conduct::Honest).await
}
