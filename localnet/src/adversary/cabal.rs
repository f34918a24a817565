//! Three validators with just under half of all stake give all of their weights to a miner of theirs, which does no work.
//!
//! Expected: with less than kappa of the stake they lift nobody, and their bonds are clipped with their weights.

use futures::future::try_join_all;

use super::{
    AttackError, Driver, Scene, Seat, Stage,
    vote::{Showing, slot, vote},
};

/// The seat of the miner that they favour.
const FAVOURED: usize = 3;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "cabal",
    stage: Stage::Cabal,
    begins_after: 0,
    seats: &[
        Seat::Validator { stake: 163 },
        Seat::Validator { stake: 163 },
        Seat::Validator { stake: 163 },
        Seat::Miner,
    ],
    cannot_show: Some("other shares of the stake than 48.9 %"),
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let favoured = slot(&scene, FAVOURED).await?;
    scene.ready();
    let row = || Some(vec![(favoured?, u16::MAX)]);
    try_join_all((0..FAVOURED).map(|seat| vote(&scene, seat, Showing::InTime, move |_| row()))).await?;
    Ok(())
}
