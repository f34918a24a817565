//! Serve the committed checkpoint with weights of 4 bits, for less memory and twice the speed.

use super::{Attack, Conduct, Cost, Draws, Play, Scene, HONEST};

/// Goodput of a card with weights in 4 bits over that in 16.
const SPEED: f64 = 2.0;

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "quantiser",
    summary: "serves its checkpoint in 4 bits",
    bound: HONEST,
    cost: Cost::HONEST_MINER.with_gpu_seconds(0.9 * Cost::HONEST_MINER.gpu_seconds),
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.own;
    skill.goodput *= SPEED;
    Play {
        forged: 1.0,
        draws: Draws::FOUR_BITS,
        ..Play::honest(skill)
    }
}
