//! Open the stream with an empty piece at once, to look fast.
//!
//! The time to the first token counts from tokens, so the piece only delays them.

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
    skill.service *= 0.98;
    Play::honest(skill)
}
