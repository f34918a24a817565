//! Republish another miner's checkpoint with weights rescaled or permuted so that the function stays the same.
//!
//! The tensors are new and every logit is the same, and so is the class that validators find: it goes on with another's model.

use super::{Attack, Conduct, Cost, Play, Scene, Tensors, HONEST};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "rescaled_copy",
    summary: "republishes another miner's checkpoint rescaled so that only the bytes differ",
    bound: HONEST,
    cost: Cost::SERVING,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    Play {
        tensors: Tensors::Derived { noise: 0.0 },
        ..Play::honest(scene.best)
    }
}
