//! Register anew again and again, to inherit the record of who held the slot before.
//!
//! Records are kept by hotkey and block of registration: a recycled slot starts empty.

use super::{Attack, Conduct, Cost, Play, Scene, NEARLY_NOTHING};

/// Epochs between registrations.
const EVERY: u64 = 20;

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "uid_inheritor",
    summary: "registers anew to inherit the record of its slot",
    bound: NEARLY_NOTHING,
    cost: Cost::IDLE,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.untrained;
    skill.answered = 0.0;
    Play {
        registers_anew: scene.age >= EVERY,
        ..Play::honest(skill)
    }
}
