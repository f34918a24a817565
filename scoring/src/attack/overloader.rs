//! Take on more streams than the card can serve.
//!
//! Goodput counts tokens within the objective only, and it is measured while all miners are loaded.

use super::{Attack, Conduct, Cost, Play, Scene, HONEST};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "overloader",
    summary: "takes more streams than its card can serve",
    bound: HONEST,
    cost: Cost::HONEST_MINER,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.own;
    skill.service *= 0.5;
    skill.goodput *= 0.6;
    skill.answered *= 0.9;
    Play::honest(skill)
}
