//! Answers that their signer can be held to, whatever it serves.

use std::sync::{Arc, Mutex, PoisonError};

use athanor_spec::{Answer, Ask, Digest, Finish};

use super::{
    AttackError, MakeMisfit, Misfit, Workshop,
    impostor::{Answers, plausible},
};

/// Every kind of answer that is a fault by itself.
pub const UNTRUE: [MakeMisfit; 4] = [another_ask, foreign_tokens, nonsense, wanderer];

/// Signs an answer to a question that was put before, again and again.
pub(super) fn another_ask(workshop: &Workshop<'_>) -> Result<Misfit, AttackError> {
    let told = ("bad_answer", "to another ask");
    let first = Mutex::new(None::<Answer>);
    with(workshop, "another_ask", told, move |ask, checkpoint| {
        let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
        first
            .get_or_insert_with(|| plausible(ask, checkpoint))
            .clone()
    })
}

/// Signs tokens that no vocabulary of the subnet has, which would lie outside of every table that they index.
fn foreign_tokens(workshop: &Workshop<'_>) -> Result<Misfit, AttackError> {
    let told = ("bad_answer", "outside of the vocabulary");
    with(workshop, "foreign_tokens", told, |ask, checkpoint| {
        let mut answer = plausible(ask, checkpoint);
        if let Some(last) = answer.tokens.last_mut() {
            *last = u32::MAX;
        }
        answer
    })
}

/// Signs an answer without tokens.
fn nonsense(workshop: &Workshop<'_>) -> Result<Misfit, AttackError> {
    let told = ("bad_answer", "the answer has 0 tokens");
    with(workshop, "nonsense", told, |ask, checkpoint| Answer {
        tokens: Vec::new(),
        finish: Finish::Stop,
        ..plausible(ask, checkpoint)
    })
}

/// Names another checkpoint in every answer.
fn wanderer(workshop: &Workshop<'_>) -> Result<Misfit, AttackError> {
    let told = ("bad_answer", "within one round");
    with(workshop, "wanderer", told, |ask, checkpoint| Answer {
        checkpoint: Digest::of(&ask.seed.to_le_bytes()),
        ..plausible(ask, checkpoint)
    })
}

fn with(
    workshop: &Workshop<'_>,
    name: &'static str,
    told: (&'static str, &'static str),
    answers: impl Fn(&Ask, &Digest) -> Answer + Send + Sync + 'static,
) -> Result<Misfit, AttackError> {
    let answers: Answers = Arc::new(answers);
    Ok(Misfit {
        answers,
        ..workshop.misfit(name, told, |_| Ok(()))?
    })
}
