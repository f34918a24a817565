//! Registers a hotkey in the place of another, to inherit what validators knew and set for that one, and does no work.
//!
//! Expected: nothing is earned. Records are kept by hotkey and block of registration, and the chain drops weights that were
//! set before a slot changed hands.

use athanor_miner::Behaviour as Conduct;

use super::{AttackError, Driver, Scene, Seat, Stage};

/// Epochs of work on the first seat: long enough to be paid.
const WORKS_FOR: u64 = 4;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "uid_inheritor",
    stage: Stage::Slots,
    begins_after: WORKS_FOR,
    seats: &[Seat::Miner, Seat::Later],
    cannot_show: Some("whether it pays to register anew for months"),
    act: |scene| Box::pin(act(scene)),
};

async fn act(mut scene: Scene) -> Result<(), AttackError> {
    let own = scene.untrained.clone();
    let miner = scene.miner(0, &own, Conduct::Honest).await?;
    scene.ready();
    if scene.until_epoch(WORKS_FOR).await {
        let heir = &scene.seats[1];
        let netuid = scene.spec.subnet.netuid;
        let account = heir.hotkey.account();
        scene.chain.register(&heir.coldkey.pair, netuid, account).await?;
        tracing::debug!(hotkey = %account, "the heir is registered");
    }
    miner.shutdown().await;
    scene.stop.cancelled().await;
    Ok(())
}
