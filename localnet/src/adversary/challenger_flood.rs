//! Fills the turns of challengers with new commitments, so that better ones wait.
//!
//! Expected: the pay of untrained models on one card, and `copy` for all but the first, as all are variants of one: who waited
//! longest is first, and every further challenge of a registration must reach a higher threshold.

use super::{AttackError, Driver, Scene, Seat, Stage, card::Card, forge};

/// Noise by which two challengers differ, as a share of each matrix's deviation.
const NOISE: f32 = 0.05;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "challenger_flood",
    stage: Stage::Crowd,
    begins_after: 0,
    seats: &[Seat::Miner, Seat::Miner, Seat::Miner],
    cannot_show: Some("what training gives in weeks: the untrained student is played by one with more noise"),
    act: |scene| Box::pin(act(scene)),
};

async fn act(mut scene: Scene) -> Result<(), AttackError> {
    let card = Card::new();
    let mut miners = Vec::new();
    for seat in 0..scene.seats.len() {
        let model = variant(&scene, seat, 0)?;
        miners.push(scene.miner(seat, &model, card.conduct()).await?);
    }
    scene.ready();
    let mut known = *scene.epoch.borrow();
    while scene.until_epoch(known + 1).await {
        known = *scene.epoch.borrow();
        for (seat, miner) in miners.iter().enumerate() {
            let next = variant(&scene, seat, known)?;
            if let Err(error) = miner.publisher().offer(next.dir) {
                tracing::debug!(%error, "a challenger was not taken");
            }
        }
    }
    scene.stay(miners).await;
    Ok(())
}

fn variant(
    scene: &Scene,
    seat: usize,
    epoch: u64,
) -> Result<athanor_model::Checkpoint, AttackError> {
    let seed = scene.seed.wrapping_add(1_000 * epoch + seat as u64);
    let noisy = forge::noisy(&scene.untrained.tensors()?, NOISE, seed);
    let dir = scene.dir.join(format!("challenger-{seat}-{epoch}"));
    Ok(forge::rewritten(&scene.untrained, &noisy, seed, &dir)?)
}
