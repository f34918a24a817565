//! Answer what one is good at and abort the rest.
//!
//! A missing answer is charged as a stop before the first token, loses its credit and lowers the availability.

use super::{Attack, Conduct, Cost, Play, Scene, HONEST};

/// Share of asks that are aborted: the worst ones.
const ABORTED: f64 = 0.15;

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "selective_abort",
    summary: "aborts the asks that it would do badly on",
    bound: HONEST,
    cost: Cost::HONEST_MINER.with_gpu_seconds(0.97 * Cost::HONEST_MINER.gpu_seconds),
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.own;
    skill.answered *= 1.0 - ABORTED;
    skill.divergence *= 1.0 - ABORTED;
    skill.correctness += ABORTED * (1.0 - skill.correctness);
    Play::honest(skill)
}
