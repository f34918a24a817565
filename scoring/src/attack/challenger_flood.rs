//! Fill the turns of challengers with new commitments, so that better ones wait.
//!
//! Who waited longest is first, and a threshold does not depend on how many others challenge.

use super::{Attack, Conduct, Cost, Play, Scene, Tensors, HONEST};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "challenger_flood",
    summary: "fills the challengers' turns with new commitments",
    bound: HONEST,
    cost: Cost::SERVING,
    identities: 12,
    shares_machine: true,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    Play {
        tensors: Tensors::Fresh,
        ..Play::honest(scene.untrained)
    }
}
