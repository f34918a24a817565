//! Forwards asks to another server, which serves a better model than the one committed to.
//!
//! Expected: `wrong_checkpoint`, because the tokens are the other model's draws.

use athanor_miner::{Backend, Behaviour as Conduct, Draft};

use super::{AttackError, Driver, Scene, Seat, Stage};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "relay",
    stage: Stage::Answers,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let other = scene.engine(&scene.best)?;
    let own = scene.untrained.clone();
    scene.serve(&own, through(other)).await
}

/// Answers with `other`'s tokens under the own checkpoint's name.
pub(super) fn through(other: Backend) -> Conduct {
    Conduct::custom(move |ask, backend| {
        let other = other.clone();
        async move {
            let drawn = other.draft(&ask).await?;
            Ok(Draft {
                checkpoint: backend.checkpoint(),
                ..drawn
            })
        }
    })
}
