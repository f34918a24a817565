//! Answers with the teacher's own words.
//!
//! Expected: `wrong_checkpoint`, because they are not the draws of the committed checkpoint.

use super::{AttackError, Driver, Scene, Seat, Stage, relay};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "relay_teacher",
    stage: Stage::Answers,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let teacher = scene.engine(&scene.teacher)?;
    let own = scene.untrained.clone();
    scene.serve(&own, relay::through(teacher)).await
}
