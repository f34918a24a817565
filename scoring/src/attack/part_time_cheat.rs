//! Answer one ask in ten with the teacher's words, the rest honestly.

use super::{Attack, Conduct, Cost, Draws, Play, Scene, HONEST};

/// Share of forged answers.
const SHARE: f64 = 0.1;

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "part_time_cheat",
    summary: "answers one ask in ten with the teacher's words",
    bound: HONEST,
    cost: Cost::HONEST_MINER,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.own;
    skill.correctness += SHARE * (scene.teacher.correctness - skill.correctness);
    Play {
        forged: SHARE,
        draws: Draws::TEACHER,
        ..Play::honest(skill)
    }
}
