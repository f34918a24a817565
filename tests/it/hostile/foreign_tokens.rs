//! Signs tokens that no vocabulary of the subnet has, which would lie outside of every table that they index.

use super::impostor::{Adversary, Workshop, plausible};

pub(crate) fn adversary(workshop: &Workshop<'_>) -> Adversary {
    let told = ("bad_answer", "outside of the vocabulary");
    Adversary {
        answers: |ask, checkpoint| {
            let mut answer = plausible(ask, checkpoint);
            if let Some(last) = answer.tokens.last_mut() {
                *last = u32::MAX;
            }
            answer
        },
        ..workshop.adversary("foreign_tokens", told, |_| ())
    }
}
