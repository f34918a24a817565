//! Speaks in another hotkey's name: commits to the best honest miner's peer and checkpoint as its own, so that validators who
//! ask it are answered by that one.
//!
//! Expected: every answer fails, because it is signed by the miner that gave it; and `copy`, for its tensors.

use athanor_spec::{Commitment, Digest};

use super::{AttackError, Driver, Scene, Seat, Stage};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "identity_thief",
    stage: Stage::Wire,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: None,
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let (netuid, victim) = (scene.spec.subnet.netuid, scene.victim.1);
    let hotkey = &scene.seats[0].hotkey.pair;
    let stolen = Commitment {
        checkpoint: Digest(scene.best.digest()),
        peer_key: victim.peer_key,
        spec: scene.spec.digest(),
        ..Commitment::default()
    };
    scene.chain.set_commitment(hotkey.clone(), netuid, &stolen).await?;
    scene.chain.serve_axon(hotkey.clone(), netuid, victim.addr).await?;
    scene.ready();
    scene.stop.cancelled().await;
    Ok(())
}
