//! Choose between the two best tokens wherever honest noise could have, to be right more often.
//!
//! The budget is 0.03 bits per token, which the audit cannot see; what it buys is bounded by it.

use super::{Attack, Conduct, Cost, Draws, Play, Scene, HONEST};

/// Share of the gap to the teacher that 0.03 bits per token buy at most: an answer of 13 tokens is steered by 0.4 bits of
/// the some 20 that it has.
const BUDGET: f64 = 0.02;

/// Serving costs so many times more: every answer is read again by the own model and by the teacher, to know where they are near
/// to each other and which way is better. What validators' replays cost over the answers (docs/audit.md, 2.4 to 3.0).
const READING: f64 = 2.4;

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "near_tie_steering",
    summary: "chooses between near-tied tokens to be right more often",
    bound: HONEST,
    cost: Cost::HONEST_MINER.with_gpu_seconds(
        Cost::HONEST_MINER.gpu_seconds + READING * Cost::SERVING.gpu_seconds,
    ),
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.own;
    skill.correctness += BUDGET * (scene.teacher.correctness - skill.correctness);
    Play {
        forged: 1.0,
        draws: Draws::STEERING,
        ..Play::honest(skill)
    }
}
