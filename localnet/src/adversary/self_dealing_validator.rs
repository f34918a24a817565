//! Gives half of its weights to a miner of its own, which does no work, and half to the consensus.
//!
//! Expected: what is above the consensus is clipped, from the miner's incentive and from the validator's bonds.

use super::{
    AttackError, Driver, Scene, Seat, Stage,
    vote::{Showing, slot, vote},
};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "self_dealing_validator",
    stage: Stage::Votes,
    begins_after: 0,
    seats: &[Seat::Validator { stake: 50 }, Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let own = slot(&scene, 1).await?;
    scene.ready();
    vote(&scene, 0, Showing::InTime, |poll| {
        let mut row = poll.consensus()?;
        let all: u32 = row.iter().map(|(_, weight)| u32::from(*weight)).sum();
        // The consensus of all miners adds up to one, so the same again is half.
        row.retain(|(uid, _)| Some(*uid) != own);
        row.push((own?, u16::try_from(all).unwrap_or(u16::MAX)));
        row.sort_unstable();
        Some(row)
    })
    .await
}
