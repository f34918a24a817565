//! Serve bytes that are no checkpoint, or not the committed one.

use super::{Attack, Conduct, Cost, Play, Scene, Served, NEARLY_NOTHING};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "malformed_artifact",
    summary: "serves bytes that are no checkpoint",
    bound: NEARLY_NOTHING,
    cost: Cost::IDLE,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    Play {
        artifact: Served::Bad,
        ..Play::honest(scene.best)
    }
}
