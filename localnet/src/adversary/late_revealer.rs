//! Commits to weights and does not reveal them: to count as active without showing any.
//!
//! Expected: a row that was lost leaves none in force, so there is nothing to be paid for.

use super::{
    AttackError, Driver, Scene, Seat, Stage,
    vote::{Showing, vote},
};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "late_revealer",
    stage: Stage::Votes,
    begins_after: 0,
    seats: &[Seat::Validator { stake: 50 }],
    cannot_show: Some("the one row in ten that it would reveal"),
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    scene.ready();
    vote(&scene, 0, Showing::Never, |poll| poll.consensus()).await
}
