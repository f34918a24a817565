//! Register several hotkeys with siblings of one model, all on one card.
//!
//! Each is a class of its own, and each has its part of the card's goodput.

use super::{Attack, Conduct, Cost, Play, Scene, HONEST};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "sibling_flood",
    summary: "registers several siblings of one model on one card",
    bound: HONEST,
    cost: Cost::HONEST_MINER,
    identities: 8,
    shares_machine: true,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    Play::honest(scene.own)
}
