//! Send answers that were signed for other asks.
//!
//! An answer names the hash of its ask under the signature, so sending another one is a fault by itself.

use super::{Attack, Conduct, Cost, Play, Scene, NEARLY_NOTHING};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "replayer",
    summary: "sends answers that were signed for other asks",
    bound: NEARLY_NOTHING,
    cost: Cost::IDLE,
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
