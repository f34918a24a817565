//! The part of a verdict that needs no model: credit, liveliness, and what the time was worth.

use athanor_model::Tokenizer;
use athanor_scoring::{
    grade::{self, Text},
    ledger::{AskOutcome, Load},
    task,
    transcript::{Continuation, Times},
};
use athanor_spec::{Answer, SubnetSpec, params::ServiceParams};

use crate::plan::Content;

/// See the module; each in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Plain {
    /// Credit on a checkable item; `None` for continuations of text.
    pub(crate) credit: Option<f64>,
    pub(crate) liveliness: f64,
    pub(crate) service: f64,
}

/// What an ask counts as that was not drawn for opening; `None` if no usable answer came to it.
pub(crate) fn unopened(
    answer: Option<&Answer>,
    times: &Times,
    load: Load,
    params: &ServiceParams,
) -> AskOutcome {
    let tokens = answer.map(|answer| u32::try_from(answer.tokens.len()).unwrap_or(u32::MAX));
    AskOutcome::Unopened {
        service: tokens.map(|tokens| grade::service(times.charged(tokens), params)),
        pace: times.pace(tokens.unwrap_or(0), load),
    }
}

/// Judges an answer by its tokens and its times.
pub(crate) fn plain(
    content: &Content,
    answer: &Answer,
    reference: &Continuation,
    times: &Times,
    tokenizer: &Tokenizer,
    spec: &SubnetSpec,
) -> Plain {
    let credit = match content {
        Content::Continuation => None,
        // Undecodable tokens are an answer like any other: a wrong one.
        Content::Task(item) => {
            let text = tokenizer.decode(&answer.tokens).unwrap_or_default();
            Some(task::grade(item, &text))
        }
    };
    Plain {
        credit,
        liveliness: grade::liveliness(
            Text {
                tokens: &answer.tokens,
                finish: answer.finish,
            },
            Some(Text {
                tokens: &reference.tokens,
                finish: reference.finish,
            }),
            &spec.grade,
        ),
        service: grade::service(
            times.charged(u32::try_from(answer.tokens.len()).unwrap_or(u32::MAX)),
            &spec.service,
        ),
    }
}
