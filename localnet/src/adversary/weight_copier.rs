//! Sets the consensus that the chain shows instead of grading.
//!
//! Expected: what it copies is as old as the delay of commit and reveal; what that costs it needs scores that move, which they
//! hardly do in some minutes.

use super::{
    AttackError, Driver, Scene, Seat, Stage,
    vote::{Showing, vote},
};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "weight_copier",
    stage: Stage::Votes,
    begins_after: 0,
    seats: &[Seat::Validator { stake: 50 }],
    cannot_show: Some("scores that move: copying yesterday's consensus costs nothing where it is today's"),
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    scene.ready();
    vote(&scene, 0, Showing::InTime, |poll| poll.consensus()).await
}
