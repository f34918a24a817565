//! Register several hotkeys for one model on one card.
//!
//! They commit to the same tensors, so they are one class, and what they reach under common load is what the card gives.

use super::{Attack, Conduct, Cost, Play, Scene, Tensors, HONEST};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "sybils_on_one_gpu",
    summary: "registers several hotkeys for one model on one card",
    bound: HONEST,
    cost: Cost::HONEST_MINER,
    identities: 8,
    shares_machine: true,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    Play {
        tensors: Tensors::Group,
        ..Play::honest(scene.own)
    }
}
