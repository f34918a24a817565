//! Commits to another variant of an untrained model in every epoch, and hopes for a lucky grade.
//!
//! Expected: no fault, and the pay of an untrained model: the record belongs to the registration, not to the checkpoint.

use athanor_miner::Behaviour as Conduct;

use super::{AttackError, Driver, Scene, Seat, Stage, forge};

/// Noise by which two tickets differ, as a share of each matrix's deviation.
const NOISE: f32 = 0.05;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "recommit_lottery",
    stage: Stage::Models,
    begins_after: 0,
    seats: &[Seat::Miner],
    cannot_show: Some("what training gives in weeks: the untrained student is played by one with more noise"),
    act: |scene| Box::pin(act(scene)),
};

async fn act(mut scene: Scene) -> Result<(), AttackError> {
    let miner = scene.miner(0, &scene.untrained, Conduct::Honest).await?;
    scene.ready();
    let mut drawn = *scene.epoch.borrow();
    while scene.until_epoch(drawn + 1).await {
        drawn = *scene.epoch.borrow();
        let ticket = scene.seed.wrapping_add(drawn);
        let noisy = forge::noisy(&scene.untrained.tensors()?, NOISE, ticket);
        let dir = scene.dir.join(format!("ticket-{drawn}"));
        let variant = forge::rewritten(&scene.untrained, &noisy, ticket, &dir)?;
        if let Err(error) = miner.publisher().offer(variant.dir) {
            tracing::debug!(%error, "a ticket was not taken");
        }
    }
    miner.shutdown().await;
    Ok(())
}
