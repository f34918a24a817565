//! Commits to a digest before it has anything, and uploads another miner's model later, to claim that it was first.
//!
//! Expected: nothing while there is nothing to be had, then `copy`: a commitment names a digest, so what comes later is
//! another commitment, with a later block.

use athanor_miner::Behaviour as Conduct;
use athanor_net::Identity;
use athanor_spec::{Commitment, Digest};

use super::{AttackError, Driver, Scene, Seat, Stage, forge};

/// Epochs for which the name is held without a model.
const HELD: u64 = 2;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "name_squatter",
    stage: Stage::Models,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(mut scene: Scene) -> Result<(), AttackError> {
    let seat = &scene.seats[0];
    let reservation = Commitment {
        checkpoint: Digest::of(&scene.seed.to_le_bytes()),
        peer_key: Identity::from_seed(seat.hotkey.seed).peer_key(),
        spec: scene.spec.digest(),
        ..Commitment::default()
    };
    let netuid = scene.spec.subnet.netuid;
    let hotkey = seat.hotkey.pair.clone();
    scene.chain.set_commitment(hotkey, netuid, &reservation).await?;
    scene.ready();
    if !scene.until_epoch(HELD).await {
        return Ok(());
    }
    let copy = forge::renamed(&scene.best, scene.seed, &scene.dir.join("copy"))?;
    scene.serve(&copy, Conduct::Honest).await
}
