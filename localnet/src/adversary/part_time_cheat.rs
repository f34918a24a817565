//! Answers one ask in ten with the teacher's words, the rest honestly.
//!
//! Expected: `wrong_checkpoint` within 250 openings; which asks it forges follows from the ask alone, so that a validator
//! cannot tell them apart by their kind.

use athanor_miner::{Behaviour as Conduct, Draft};

use super::{AttackError, Driver, Scene, Seat, Stage};

/// One ask in so many is forged.
const ONE_IN: u8 = 10;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "part_time_cheat",
    stage: Stage::Answers,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: Some("the hundreds of openings that may pass before it is found out"),
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let teacher = scene.engine(&scene.teacher)?;
    let conduct = Conduct::custom(move |ask, backend| {
        let teacher = teacher.clone();
        async move {
            if ask.hash().0[0] % ONE_IN != 0 {
                return backend.draft(&ask).await;
            }
            let drawn = teacher.draft(&ask).await?;
            Ok(Draft {
                checkpoint: backend.checkpoint(),
                ..drawn
            })
        }
    });
    let own = scene.trained.clone();
    scene.serve(&own, conduct).await
}
