//! Open the stream with an empty piece at once, to look fast.
//!
//! A piece without tokens is no message of the protocol, so the exchange ends there and no answer counts.

use super::{Attack, Conduct, Cost, Play, Scene, HONEST};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "empty_first_chunk",
    summary: "sends an empty first piece to look fast",
    bound: HONEST,
    cost: Cost::HONEST_MINER,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.own;
    skill.answered = 0.0;
    Play::honest(skill)
}
