//! Sample with randomness of one's own.
//!
//! As a server does that cannot follow the seed of an ask, or that draws several answers and sends the best.

use super::{Attack, Conduct, Cost, Draws, Play, Scene, NEARLY_NOTHING};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "ignored_seed",
    summary: "samples with randomness of its own and sends the best of several",
    bound: NEARLY_NOTHING,
    cost: Cost::HONEST_MINER,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.own;
    skill.correctness += 0.5 * (1.0 - skill.correctness);
    Play {
        forged: 1.0,
        draws: Draws::IGNORED_SEED,
        ..Play::honest(skill)
    }
}
