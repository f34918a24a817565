//! Answer with messages over the size bounds.
//!
//! A frame over its bound is refused before it is read, so there is no answer.

use super::{Attack, Conduct, Cost, Play, Scene, NEARLY_NOTHING};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "oversized_message",
    summary: "answers with messages over the bounds",
    bound: NEARLY_NOTHING,
    cost: Cost::IDLE,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.best;
    skill.answered = 0.0;
    Play::honest(skill)
}
