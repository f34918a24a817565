//! Republish another miner's checkpoint with a little noise on every weight.
//!
//! The tensors are new, so nothing exact tells it from work of its own, and what the copied model was worth it is worth
//! too, less what the noise costs, one checkpoint later. What it saves is the training.

use super::{Attack, Conduct, Cost, Play, Scene, Tensors, HONEST};

/// Divergence of the copy over that of what was copied.
const NOISE: f64 = 1.02;

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "noisy_copy",
    summary: "republishes another miner's checkpoint with noise on its weights",
    bound: HONEST,
    cost: Cost::SERVING,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.best;
    skill.divergence *= NOISE;
    skill.forced_divergence *= NOISE;
    Play {
        tensors: Tensors::Derived,
        ..Play::honest(skill)
    }
}
