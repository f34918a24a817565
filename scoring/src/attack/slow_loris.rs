//! Give every token as late as the deadline allows, so that one card serves many hotkeys.

use super::{Attack, Conduct, Cost, Play, Scene, HONEST};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "slow_loris",
    summary: "answers as slowly as the deadline allows",
    bound: HONEST,
    cost: Cost::HONEST_MINER.with_gpu_seconds(0.85 * Cost::HONEST_MINER.gpu_seconds),
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.own;
    skill.service *= 0.1;
    skill.goodput *= 0.1;
    Play::honest(skill)
}
