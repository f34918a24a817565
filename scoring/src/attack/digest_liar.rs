//! Answer from another checkpoint than the one committed to, and name it.
//!
//! The digest stands in the signed answer.

use super::{Attack, Conduct, Cost, Play, Scene, NEARLY_NOTHING};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "digest_liar",
    summary: "names another checkpoint than the one it committed to",
    bound: NEARLY_NOTHING,
    cost: Cost::SERVING,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    Play {
        misconduct: true,
        ..Play::honest(scene.best)
    }
}
