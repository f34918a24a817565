//! Republish another miner's checkpoint with a little noise on every weight.
//!
//! The tensors are new, so nothing exact tells it from work of its own. Validators find it by its weights, and by what it
//! has in common with its original beside the teacher, as long as the noise is no larger than [`super::found`] says; its best
//! reply is the least noise that escapes, and what it is worth then is the copied model less what that noise costs, one
//! checkpoint later. What it saves is the training.

use super::{Attack, Conduct, Cost, Play, Scene, Tensors, HONEST, NEVER_FOUND};

/// Noise as a share of each matrix's deviation: the least with which no copy is found.
const NOISE: f64 = NEVER_FOUND;
/// What noise adds to the divergence, in nats per nat of the teacher's doubt and squared share of noise: 18.7 nats a token on
/// text at the noise that escapes (docs/similarity.md), of which the bundled teacher leaves 3.3.
const DIVERGENCE_OF_NOISE: f64 = 18.7 / 3.3;

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "noisy_copy",
    summary: "republishes another miner's checkpoint with noise on its weights",
    bound: HONEST,
    cost: Cost::SERVING,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    let mut skill = scene.best;
    skill.divergence += DIVERGENCE_OF_NOISE * NOISE * NOISE;
    skill.forced_divergence += DIVERGENCE_OF_NOISE * NOISE * NOISE;
    Play {
        tensors: Tensors::Derived { noise: NOISE },
        ..Play::honest(skill)
    }
}
