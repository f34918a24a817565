//! Registers several hotkeys with siblings of one model, all on one card.
//!
//! Expected: `copy` for all but the first: siblings that differ by so little noise are of one class. Noise that tells them
//! apart costs each what it takes from the model.

use super::{AttackError, Driver, Scene, Seat, Stage, card::Card, forge};

/// Noise by which two siblings differ, as a share of each matrix's deviation.
const NOISE: f32 = 0.01;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "sibling_flood",
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
        let seed = scene.seed + seat as u64;
        let sibling = forge::noisy(&scene.trained.tensors()?, NOISE, seed);
        let dir = scene.dir.join("models").join(&participant.name);
        let model = forge::rewritten(&scene.trained, &sibling, seed, &dir)?;
        miners.push(scene.miner(seat, &model, card.conduct()).await?);
    }
    scene.ready();
    scene.stay(miners).await;
    Ok(())
}
