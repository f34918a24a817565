//! Republish another miner's checkpoint cut into other files.
//!
//! A class of artifacts is named by the tensors in canonical order, however they are laid out.

use super::{Attack, Conduct, Cost, Play, Scene, Tensors, HONEST};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "resharded_copy",
    summary: "republishes another miner's checkpoint cut into other files",
    bound: HONEST,
    cost: Cost::SERVING,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    Play {
        tensors: Tensors::OfTheBest,
        ..Play::honest(scene.best)
    }
}
