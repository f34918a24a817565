//! The engine as the miner uses it: asks in, drafts out.

use std::sync::{Arc, Mutex, PoisonError};

use athanor_model::{
    Checkpoint, StopTokens,
    engine::{
        self, Cancel, Engine, Event, GenerateError, GenerateRequest, Generation, LoadError,
        SubmitError,
    },
};
use athanor_net::Responder;
use athanor_spec::{Ask, Digest, Finish, Refusal};
use tokio::sync::oneshot;

/// Retry hint when the engine's queue is full: about the time of one answer.
const RETRY_AFTER_MS: u32 = 500;

/// What becomes an answer once it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Digest of the checkpoint that is said to have drawn the tokens.
    pub checkpoint: Digest,
    /// Token ids, the end token included when it was drawn.
    pub tokens: Vec<u32>,
    /// Why they end.
    pub finish: Finish,
}

/// What came of an ask, and the way back to whoever asked.
pub(crate) enum Drawn {
    /// All tokens.
    Whole(Draft, Responder),
    /// Nothing, and why.
    Refused(Refusal, Responder),
    /// Whoever asked has left.
    Left,
}

/// A handle to the engine that serves a miner's model. Clones share it.
#[derive(Clone)]
pub struct Backend {
    engine: Engine,
    /// Tokens that end an answer.
    end: StopTokens,
}

impl Backend {
    /// A backend that draws from `engine` until one of the tokens `end` or the ask's limit.
    pub fn new(engine: Engine, end: impl Into<StopTokens>) -> Self {
        let end = end.into();
        Self { engine, end }
    }

    /// Draws the tokens that an ask determines, from the checkpoint served now. Dropping the future frees the slot.
    pub async fn draft(&self, ask: &Ask) -> Result<Draft, Refusal> {
        let (ended, end) = oneshot::channel();
        let mut ended = Some(ended);
        let submitted = self.engine.stream(self.request(ask), move |event| {
            if let Event::End(result) = event
                && let Some(ended) = ended.take()
            {
                // Nobody waits any more when the network ended first.
                let _ = ended.send(result);
            }
        });
        let _cancelled = CancelOnDrop(submitted.map_err(refusal)?);
        outcome(end.await)
    }

    /// Draws as [`Self::draft`] does, and sends each token to whoever asked, on the engine's thread, as soon as it is drawn.
    /// An asker that leaves frees its slot; one that does not read costs nothing but the tokens that wait for it.
    pub(crate) async fn stream(&self, ask: &Ask, reply: Responder) -> Drawn {
        let left = reply.cancelled();
        let reply = Arc::new(Mutex::new(Some(reply)));
        let take = |reply: &Mutex<Option<Responder>>| {
            reply.lock().unwrap_or_else(PoisonError::into_inner).take()
        };
        let (ended, end) = oneshot::channel();
        let mut ended = Some(ended);
        let writer = reply.clone();
        let submitted = self
            .engine
            .stream(self.request(ask), move |event| match event {
                Event::Token(token) => {
                    // Nobody else locks before the end.
                    let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(reply) = writer.as_mut() {
                        reply.tokens(&[token]);
                    }
                }
                Event::End(result) => {
                    if let Some(ended) = ended.take() {
                        let _ = ended.send(result);
                    }
                }
            });
        let drawn = match submitted {
            Ok(cancel) => {
                let _cancelled = CancelOnDrop(cancel);
                tokio::select! {
                    end = end => outcome(end),
                    () = left => return Drawn::Left,
                }
            }
            Err(error) => Err(refusal(error)),
        };
        match (drawn, take(&reply)) {
            (Ok(draft), Some(reply)) => Drawn::Whole(draft, reply),
            (Err(refusal), Some(reply)) => Drawn::Refused(refusal, reply),
            (_, None) => Drawn::Left,
        }
    }

    fn request(&self, ask: &Ask) -> GenerateRequest {
        GenerateRequest {
            prompt: ask.prompt.clone(),
            max_new_tokens: usize::from(ask.max_new_tokens),
            temperature: ask.temperature(),
            seed: ask.seed,
            stop: self.end.clone(),
        }
    }

    /// Digest of the checkpoint served now.
    pub fn checkpoint(&self) -> Digest {
        Digest(self.engine.checkpoint())
    }

    /// Answers being drawn or waiting for it.
    pub fn in_flight(&self) -> usize {
        self.engine.in_flight()
    }

    /// Serves another checkpoint. Answers in progress are finished by the old one. Blocks until the new one serves.
    pub(crate) fn swap(&self, checkpoint: &Checkpoint) -> Result<(), LoadError> {
        self.engine.swap(checkpoint)
    }
}

/// Frees a request's slot if nobody waits for it any more; of one that is done there is nothing to free.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn refusal(error: SubmitError) -> Refusal {
    match error {
        SubmitError::Overloaded { .. } => Refusal::Overloaded {
            retry_after_ms: RETRY_AFTER_MS,
        },
        SubmitError::TooLong { .. }
        | SubmitError::Empty
        | SubmitError::UnknownToken { .. }
        | SubmitError::Temperature { .. } => Refusal::OutOfBounds,
        _ => Refusal::RESTARTING,
    }
}

/// What the engine said at the end, if it said anything.
fn outcome(
    end: Result<Result<Generation, GenerateError>, oneshot::error::RecvError>,
) -> Result<Draft, Refusal> {
    match end {
        Ok(Ok(generation)) => Ok(Draft {
            checkpoint: Digest(generation.checkpoint),
            tokens: generation.tokens,
            finish: match generation.finish {
                engine::Finish::Stop => Finish::Stop,
                engine::Finish::Length => Finish::Length,
            },
        }),
        Ok(Err(error)) => {
            tracing::error!(%error, "the engine failed an answer");
            Err(Refusal::RESTARTING)
        }
        Err(_) => Err(Refusal::RESTARTING),
    }
}
