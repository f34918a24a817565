//! Ends every answer half way, and says that the model wanted to.
//!
//! Expected: `wrong_checkpoint`, because the end is not a draw of its checkpoint; and what is missing is charged.

use athanor_miner::{Behaviour as Conduct, Draft};
use athanor_spec::Finish;

use super::{AttackError, Driver, Scene, Seat, Stage};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "early_stopper",
    stage: Stage::Answers,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let end = scene.trained.stop_tokens()?.first();
    let conduct = Conduct::custom(move |ask, backend| async move {
        let mut drawn = backend.draft(&ask).await?;
        drawn.tokens.truncate(drawn.tokens.len().div_ceil(2));
        if let (Some(last), Some(end)) = (drawn.tokens.last_mut(), end) {
            *last = end;
        }
        Ok(Draft {
            finish: Finish::Stop,
            ..drawn
        })
    });
    let own = scene.trained.clone();
    scene.serve(&own, conduct).await
}
