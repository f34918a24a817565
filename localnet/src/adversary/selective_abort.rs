//! Answers what it is good at and aborts the rest.
//!
//! Expected: no fault; a missing answer is charged as a stop before the first token and loses its credit. What it aborts are
//! the asks whose answer ran into the limit, which is how a model shows that it did not know where to end.

use athanor_miner::Behaviour as Conduct;
use athanor_spec::{Finish, Refusal};

use super::{AttackError, Driver, Scene, Seat, Stage};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "selective_abort",
    stage: Stage::Answers,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let conduct = Conduct::custom(|ask, backend| async move {
        let drawn = backend.draft(&ask).await?;
        match drawn.finish {
            Finish::Stop => Ok(drawn),
            Finish::Length => Err(Refusal::Overloaded { retry_after_ms: 500 }),
        }
    });
    let own = scene.trained.clone();
    scene.serve(&own, conduct).await
}
