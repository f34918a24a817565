//! Sets weights as seldom as it can without becoming inactive: here once, and never again.
//!
//! Expected: what that costs it needs scores that move, which they hardly do in some minutes.

use super::{
    AttackError, Driver, Scene, Seat, Stage,
    vote::{Showing, vote},
};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "stale_revealer",
    stage: Stage::Votes,
    begins_after: 0,
    seats: &[Seat::Validator { stake: 50 }],
    cannot_show: Some("scores that move, and the activity cutoff"),
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    scene.ready();
    vote(&scene, 0, Showing::InTime, |poll| {
        if poll.has_voted {
            return None;
        }
        poll.consensus()
    })
    .await
}
