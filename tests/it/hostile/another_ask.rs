//! Signs an answer to a question that nobody put.

use athanor_spec::{Answer, Digest};

use super::impostor::{Adversary, Workshop, plausible};

pub(crate) fn adversary(workshop: &Workshop<'_>) -> Adversary {
    let told = ("bad_answer", "to another ask");
    Adversary {
        answers: |ask, checkpoint| Answer {
            request: Digest([7; 32]),
            ..plausible(ask, checkpoint)
        },
        ..workshop.adversary("another_ask", told, |_| ())
    }
}
