//! Forwards asks to another server of the same operator, which serves a better model than the one committed to.
//!
//! Expected: `wrong_checkpoint`, because the tokens are the other model's draws.

use athanor_miner::{Backend, Behaviour, Draft};

/// Answers with `other`'s tokens under the own checkpoint's name.
pub fn conduct(other: Backend) -> Behaviour {
    Behaviour::custom(move |ask, backend| {
        let other = other.clone();
        async move {
            let drawn = other.draft(&ask).await?;
            Ok(Draft {
                checkpoint: backend.checkpoint(),
                ..drawn
            })
        }
    })
}
