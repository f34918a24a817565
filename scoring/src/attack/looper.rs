//! Commit to a degenerate model that repeats itself, and sample from it honestly.
//!
//! No fault, but fidelity and correctness near 0, and liveliness caps the rest.

use super::{Attack, Conduct, Cost, Play, Scene, NEARLY_NOTHING, WORST_DIVERGENCE};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "looper",
    summary: "commits to a model that repeats itself",
    bound: NEARLY_NOTHING,
    cost: Cost::IDLE,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.own;
    skill.divergence = 0.7 * WORST_DIVERGENCE;
    skill.forced_divergence = 0.7 * WORST_DIVERGENCE;
    skill.correctness = 0.0;
    skill.liveliness = 0.1;
    Play::honest(skill)
}
