//! Work honestly until the record is good, then answer with another model and train no more.
//!
//! The audit's evidence is a mixture over shares of dishonest requests, of which an honest past buys little.

use super::{Attack, Conduct, Cost, Draws, Play, Scene, NEARLY_NOTHING};

/// Epochs of honest work.
const HONEST_EPOCHS: u64 = 20;

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "turncoat",
    summary: "is honest at first, then answers with another model",
    bound: NEARLY_NOTHING,
    cost: Cost::SERVING,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    if scene.age < HONEST_EPOCHS {
        return Play::honest(scene.own);
    }
    let mut skill = scene.untrained;
    skill.correctness = scene.best.correctness;
    Play {
        forged: 1.0,
        draws: Draws::SIBLING,
        ..Play::honest(skill)
    }
}
