//! Registers several hotkeys for one model on one card.
//!
//! Expected: no fault; they commit to the same tensors in the same block or later, so they are one class with one slot.

use super::{AttackError, Driver, Scene, Seat, Stage, card::Card, forge};

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "sybils_on_one_gpu",
    stage: Stage::Crowd,
    begins_after: 0,
    seats: &[Seat::Miner, Seat::Miner, Seat::Miner],
    cannot_show: Some("cards: every miner draws so many tokens a second, whatever the machine could do"),
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let card = Card::new();
    let mut miners = Vec::new();
    for (seat, participant) in scene.seats.iter().enumerate() {
        let dir = scene.dir.join("models").join(&participant.name);
        let model = forge::renamed(&scene.trained, scene.seed + seat as u64, &dir)?;
        miners.push(scene.miner(seat, &model, card.conduct()).await?);
    }
    scene.ready();
    scene.stay(miners).await;
    Ok(())
}
