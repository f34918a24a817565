//! Samples with randomness of its own, as a server does that cannot or will not follow the ask's seed.
//!
//! Expected: `wrong_checkpoint`, because the tokens are not the draws that seed and checkpoint determine.

use athanor_miner::Behaviour;
use athanor_spec::Ask;

/// Answers every ask as if it had another seed.
pub fn conduct(own_seed: u64) -> Behaviour {
    Behaviour::custom(move |ask, backend| async move {
        let seed = ask.seed.rotate_left(17) ^ own_seed;
        backend.draft(&Ask { seed, ..ask }).await
    })
}
