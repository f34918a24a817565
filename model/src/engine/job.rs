//! A request that was taken, until it is answered.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::Instant;

use super::{
    Finish, GenerateError, GenerateRequest, Generation, Permit, ScoreRequest, Scored, Serving,
    SubmitError, Timing, panic_message,
};
use crate::kernels::log_softmax;
use crate::sampler;

/// What a handle hears of a request that streams.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A token was drawn.
    Token(u32),
    /// The answer is complete, or will never be; nothing follows.
    End(Result<Generation, GenerateError>),
}

/// Ends a request before its time. Dropping it does nothing.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// The request's slot is free again after the turn in progress; it is answered as `Cancelled`.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Who asked for what.
pub(super) enum Work {
    /// Draw tokens; the other end hears of each.
    Generate {
        request: GenerateRequest,
        events: Box<dyn FnMut(Event) + Send>,
    },
    /// Measure tokens that are there already.
    Score {
        request: ScoreRequest,
        reply: Box<dyn FnOnce(Result<Vec<Scored>, GenerateError>) + Send>,
    },
}

/// A request that was taken.
pub(super) struct Job {
    work: Work,
    permit: Permit,
    cancel: Cancel,
    submitted: Instant,
}

/// A request that has a slot.
pub(super) struct Sequence {
    job: Job,
    /// Given tokens that the slot holds: computed for this request, or taken over.
    prefilled: usize,
    /// Of these, the ones that were taken over.
    reused: usize,
    tokens: Vec<u32>,
    scores: Vec<Scored>,
    started: Instant,
    first_token: Option<Instant>,
}

impl Job {
    pub(super) fn new(work: Work, permit: Permit, cancel: Cancel) -> Self {
        Self {
            work,
            permit,
            cancel,
            submitted: Instant::now(),
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Whether the model can take it; it may have changed since the request was submitted.
    pub(super) fn check(&self, serving: &Serving) -> Result<(), SubmitError> {
        match &self.work {
            Work::Generate { request, .. } => serving.check(request),
            Work::Score { request, .. } => serving.check_score(request),
        }
    }

    /// The tokens that are there before anything is drawn.
    pub(super) fn given(&self) -> &[u32] {
        match &self.work {
            Work::Generate { request, .. } => &request.prompt,
            Work::Score { request, .. } => &request.tokens,
        }
    }

    /// How many of them may be taken over: not the last one of a prompt, whose logits are wanted, nor those whose logits
    /// measure the next.
    pub(super) fn reusable(&self) -> usize {
        match &self.work {
            Work::Generate { request, .. } => request.prompt.len() - 1,
            Work::Score { request, .. } => request.from - 1,
        }
    }

    /// Makes room for another request, then answers: whoever hears the answer may ask again at once.
    pub(super) fn fail(self, error: GenerateError) {
        drop(self.permit);
        match self.work {
            Work::Generate { mut events, .. } => guarded(|| events(Event::End(Err(error)))),
            Work::Score { reply, .. } => guarded(|| reply(Err(error))),
        }
    }
}

/// Calls what a caller gave; its panic is its own.
fn guarded(call: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
        let message = panic_message(panic.as_ref());
        tracing::error!(message, "a reply to a request panicked");
    }
}

impl Sequence {
    /// A request with a slot that holds the first `reused` of its tokens already.
    pub(super) fn new(job: Job, reused: usize) -> Self {
        Self {
            job,
            prefilled: reused,
            reused,
            tokens: Vec::new(),
            scores: Vec::new(),
            started: Instant::now(),
            first_token: None,
        }
    }

    pub(super) fn into_job(self) -> Job {
        self.job
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.job.is_cancelled()
    }

    /// Whether given tokens are still to be taken in.
    pub(super) fn in_prompt(&self) -> bool {
        self.prefilled < self.job.given().len()
    }

    /// The next tokens for the slot, at most `budget` given ones, and from which of them on logits are wanted.
    pub(super) fn next(&self, budget: usize) -> (&[u32], usize) {
        if let Some(last) = self.tokens.last() {
            return (std::slice::from_ref(last), 0);
        }
        let given = self.job.given();
        let rest = &given[self.prefilled..];
        let tokens = &rest[..rest.len().min(budget)];
        let end = self.prefilled + tokens.len();
        let first_wanted = match &self.job.work {
            Work::Generate { .. } => given.len() - 1,
            // The logits after a token measure the next one; those after the last measure nothing.
            Work::Score { request, .. } if request.from <= end => request.from - 1,
            Work::Score { .. } => end,
        };
        let from = first_wanted.clamp(self.prefilled, end) - self.prefilled;
        (tokens, from)
    }

    /// Takes note of tokens that went through the model with the logits that came of them; whether it is done.
    pub(super) fn advance(&mut self, count: usize, rows: &[&[f32]]) -> Option<Finish> {
        let (first, in_prompt) = (self.prefilled + count - rows.len(), self.in_prompt());
        if in_prompt {
            self.prefilled += count;
        }
        let Work::Generate { request, .. } = &self.job.work else {
            return self.measure(first, rows);
        };
        let logits = rows.last()?;
        let step = self.tokens.len() as u32;
        let token = sampler::sample(logits, request.temperature, request.seed, step);
        let finish = match request.stop.contains(token) {
            true => Some(Finish::Stop),
            false => (self.tokens.len() + 1 == request.max_new_tokens).then_some(Finish::Length),
        };
        self.tokens.push(token);
        self.first_token.get_or_insert_with(Instant::now);
        if let Work::Generate { events, .. } = &mut self.job.work {
            guarded(|| events(Event::Token(token)));
        }
        finish
    }

    /// Measures the token after each of the rows, the first of which is that of the given token `first`.
    fn measure(&mut self, first: usize, rows: &[&[f32]]) -> Option<Finish> {
        let Work::Score { request, .. } = &self.job.work else {
            return None;
        };
        for (at, logits) in (first + 1..).zip(rows) {
            let Some(&token) = request.tokens.get(at) else {
                break;
            };
            let mut log_probabilities = vec![0.0; logits.len()];
            log_softmax::forward(logits, logits.len(), &mut log_probabilities);
            let step = (at - request.from) as u32;
            let (temperature, seed) = (request.temperature, request.seed);
            self.scores.push(Scored {
                token,
                log_probability: log_probabilities[token as usize],
                margin: sampler::observe(logits, token, temperature, seed, step),
            });
        }
        (self.prefilled == request.tokens.len()).then_some(Finish::Length)
    }

    /// Answers the request.
    pub(super) fn finish(self, finish: Finish, checkpoint: [u8; 32]) {
        let first = self.first_token.unwrap_or(self.started);
        let timing = Timing {
            queued: self.started - self.job.submitted,
            prefill: first - self.started,
            decode: first.elapsed(),
        };
        drop(self.job.permit);
        match self.job.work {
            Work::Generate { mut events, .. } => {
                let generation = Generation {
                    tokens: self.tokens,
                    finish,
                    checkpoint,
                    reused: self.reused,
                    timing,
                };
                guarded(|| events(Event::End(Ok(generation))));
            }
            Work::Score { reply, .. } => guarded(|| reply(Ok(self.scores))),
        }
    }

    /// What the slot holds of this sequence once it is done: the given tokens, and the drawn ones that were fed.
    pub(super) fn held(&self) -> impl Iterator<Item = u32> {
        let given = &self.job.given()[..self.prefilled];
        let fed = self.tokens.len().saturating_sub(1);
        given.iter().chain(&self.tokens[..fed]).copied()
    }
}
