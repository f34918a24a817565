//! Answer with the teacher's own words.
//!
//! They are as good as answers get, and not the draws of the committed checkpoint.

use super::{Attack, Conduct, Cost, Draws, Play, Scene, NEARLY_NOTHING};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "relay_teacher",
    summary: "answers with the teacher's words",
    bound: NEARLY_NOTHING,
    cost: Cost::SERVING,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.untrained;
    skill.correctness = scene.teacher.correctness;
    Play {
        forged: 1.0,
        draws: Draws::TEACHER,
        ..Play::honest(skill)
    }
}
