//! Signs an answer without tokens.

use athanor_spec::{Answer, Finish};

use super::impostor::{Adversary, Workshop, plausible};

pub(crate) fn adversary(workshop: &Workshop<'_>) -> Adversary {
    let told = ("bad_answer", "the answer has 0 tokens");
    Adversary {
        answers: |ask, checkpoint| Answer {
            tokens: Vec::new(),
            finish: Finish::Stop,
            ..plausible(ask, checkpoint)
        },
        ..workshop.adversary("nonsense", told, |_| ())
    }
}
