//! Answer in another hotkey's name, or from another peer's address.
//!
//! The handshake and every answer's signature must fit the commitment; what does not is no answer.

use super::{Attack, Conduct, Cost, Play, Scene, NEARLY_NOTHING};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "identity_thief",
    summary: "answers in another hotkey's name",
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
