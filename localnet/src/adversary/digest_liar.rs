//! Names another checkpoint than the one that it committed to: that of the best honest miner, whose tokens it sends as well.
//!
//! Expected: every answer fails, because the checkpoint that it names was not committed to by this hotkey.

use athanor_miner::Behaviour as Conduct;

use super::{AttackError, Driver, Scene, Seat, Stage};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "digest_liar",
    stage: Stage::Answers,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let other = scene.engine(&scene.best)?;
    let conduct = Conduct::custom(move |ask, _| {
        let other = other.clone();
        async move { other.draft(&ask).await }
    });
    let own = scene.untrained.clone();
    scene.serve(&own, conduct).await
}
