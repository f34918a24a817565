//! Names another checkpoint in every answer.

use athanor_spec::{Answer, Digest};

use super::impostor::{Adversary, Workshop, plausible};

pub(crate) fn adversary(workshop: &Workshop<'_>) -> Adversary {
    let told = ("bad_answer", "within one round");
    Adversary {
        answers: |ask, checkpoint| Answer {
            checkpoint: Digest::of(&ask.seed.to_le_bytes()),
            ..plausible(ask, checkpoint)
        },
        ..workshop.adversary("wanderer", told, |_| ())
    }
}
