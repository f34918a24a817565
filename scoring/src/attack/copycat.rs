//! Republish another miner's checkpoint as one's own: same tensors, another manifest.
//!
//! The tensors were committed to earlier by somebody else, so it is a copy whatever its manifest says.

use super::{Attack, Conduct, Cost, Play, Scene, Tensors, NEARLY_NOTHING};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "copycat",
    summary: "republishes another miner's checkpoint as its own",
    bound: NEARLY_NOTHING,
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
