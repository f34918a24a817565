//! Serves the committed checkpoint with weights of 4 bits, for less memory and more speed.
//!
//! Expected: `wrong_checkpoint`, because rounding moves the draws further than honest noise does.

use super::{AttackError, Driver, Scene, Seat, Stage, forge, relay};

/// Bits of a served weight.
const BITS: u32 = 4;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "quantiser",
    stage: Stage::Answers,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let rounded = forge::rounded(&scene.trained.tensors()?, BITS);
    let dir = scene.dir.join("rounded");
    let rounded = forge::rewritten(&scene.trained, &rounded, scene.seed, &dir)?;
    let conduct = relay::through(scene.engine(&rounded)?);
    let own = scene.trained.clone();
    scene.serve(&own, conduct).await
}
