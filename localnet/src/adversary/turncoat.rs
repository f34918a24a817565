//! Works honestly until its record is good, then answers with a model that nobody trained.
//!
//! Expected: paid while it is honest, and `wrong_checkpoint` soon after it turned: an honest past buys little.

use athanor_miner::{Behaviour as Conduct, Draft};

use super::{AttackError, Driver, Scene, Seat, Stage};

/// Epochs of honest work; a run is measured from there on.
const TURNS_AFTER: u64 = 2;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "turncoat",
    stage: Stage::Answers,
    begins_after: TURNS_AFTER,
    seats: &[Seat::Miner],
    cannot_show: Some("a record of weeks: it turns after two rounds"),
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let (other, epoch) = (scene.engine(&scene.untrained)?, scene.epoch.clone());
    let conduct = Conduct::custom(move |ask, backend| {
        let (other, turned) = (other.clone(), *epoch.borrow() >= TURNS_AFTER);
        async move {
            if !turned {
                return backend.draft(&ask).await;
            }
            let drawn = other.draft(&ask).await?;
            Ok(Draft {
                checkpoint: backend.checkpoint(),
                ..drawn
            })
        }
    });
    let own = scene.trained.clone();
    scene.serve(&own, conduct).await
}
