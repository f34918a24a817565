//! Registers several hotkeys with models of their own on one card, and serves them one after the other whenever all are loaded.
//!
//! Expected: no fault, and the pay of one card: the models are told apart like those of strangers, and by the moment up to
//! which tokens count the card has served the first hotkey alone.

use athanor_distill::init::{self, StudentPlan};
use athanor_model::Checkpoint;

use super::{
    AttackError, Driver, Scene, Seat, Stage,
    card::{Card, Line},
    forge,
};
use crate::roster::STUDENT_NOISE;

/// See the module.
pub(super) const DRIVER: Driver = Driver {
    name: "sequenced_siblings",
    stage: Stage::Crowd,
    begins_after: 0,
    seats: &[Seat::Miner, Seat::Miner, Seat::Miner],
    cannot_show: Some("cards: every miner draws so many tokens a second, whatever the machine could do"),
    act: |scene| Box::pin(act(scene)),
};

async fn act(scene: Scene) -> Result<(), AttackError> {
    let (card, line) = (Card::new(), Line::default());
    let mut miners = Vec::new();
    for seat in 0..scene.seats.len() {
        let model = student(&scene, seat)?;
        let conduct = card.conduct_in_line(line.clone(), seat);
        miners.push(scene.miner(seat, &model, conduct).await?);
    }
    scene.ready();
    scene.stay(miners).await;
    Ok(())
}

/// A student of the same size as an honest miner's, made apart from all others.
fn student(scene: &Scene, seat: usize) -> Result<Checkpoint, AttackError> {
    let seed = scene.seed.wrapping_add(seat as u64);
    let layers = scene.trained.config.num_hidden_layers;
    let plan = StudentPlan {
        layers: init::layers(scene.teacher.config.num_hidden_layers, layers),
        seed,
        noise: STUDENT_NOISE,
    };
    let (_, tensors) = init::student(&scene.teacher, &plan)?;
    let dir = scene.dir.join("models").join(&scene.seats[seat].name);
    Ok(forge::rewritten(&scene.trained, &tensors, seed, &dir)?)
}
