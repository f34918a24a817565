//! Commit to a new variant of an untrained model in every epoch and hope for a lucky grade.
//!
//! Evidence belongs to the registration and not to the checkpoint, and every further challenge for the crown must reach a
//! higher threshold.

use super::{Attack, Conduct, Cost, Play, Scene, Tensors, HONEST};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "recommit_lottery",
    summary: "commits to another variant in every epoch and hopes for luck",
    bound: HONEST,
    cost: Cost::SERVING,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    Play {
        tensors: Tensors::Fresh,
        ..Play::honest(scene.untrained)
    }
}
