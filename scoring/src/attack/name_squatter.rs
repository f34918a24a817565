//! Reserve a name on chain before there is an artifact, to claim priority for what others make.
//!
//! A commitment names a digest, so what is uploaded later can never be what was committed to.

use super::{Attack, Conduct, Cost, Play, Scene, Served, HONEST};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "name_squatter",
    summary: "commits to a digest before it has an artifact, to claim priority later",
    bound: HONEST,
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
