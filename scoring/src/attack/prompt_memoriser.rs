//! Train on the prompts of past rounds until their answers are known by heart.
//!
//! No item is asked twice, so what was learnt by heart is worth nothing, and the rest suffers.

use super::{Attack, Conduct, Cost, Play, Scene, HONEST};

/// What overfitting does to the divergence on new text.
const FORGOTTEN: f64 = 1.15;

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "prompt_memoriser",
    summary: "learns past prompts by heart",
    bound: HONEST,
    cost: Cost::HONEST_MINER,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.own;
    skill.divergence *= FORGOTTEN;
    skill.forced_divergence *= FORGOTTEN;
    Play::honest(skill)
}
