//! End every answer half way, where the teacher would go on.
//!
//! The entropy of what is missing is charged at the largest divergence, unless the teacher would have stopped too.

use super::{Attack, Conduct, Cost, Play, Scene, HONEST, WORST_DIVERGENCE};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "early_stopper",
    summary: "ends its answers half way",
    bound: HONEST,
    cost: Cost::HONEST_MINER.with_gpu_seconds(0.9 * Cost::HONEST_MINER.gpu_seconds),
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.own;
    skill.divergence = 0.5 * skill.divergence + 0.5 * WORST_DIVERGENCE;
    // An item's answer is its whole text.
    skill.correctness *= 0.1;
    Play::honest(skill)
}
