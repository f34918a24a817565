//! Answer with a better model of another server than the one committed to.
//!
//! The replay of the committed checkpoint gives other tokens.

use super::{Attack, Conduct, Cost, Draws, Play, Scene, NEARLY_NOTHING};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "relay",
    summary: "answers with another server's model",
    bound: NEARLY_NOTHING,
    cost: Cost::IDLE,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.untrained;
    skill.correctness = scene.best.correctness;
    Play {
        forged: 1.0,
        draws: Draws::SIBLING,
        ..Play::honest(skill)
    }
}
