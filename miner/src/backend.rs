//! The engine as the miner uses it: asks in, drafts out.

use athanor_model::{
    Checkpoint, StopTokens,
    engine::{self, Engine, GenerateRequest, LoadError, SubmitError},
};
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

    /// Draws the tokens that an ask determines, from the checkpoint served now.
    pub async fn draft(&self, ask: &Ask) -> Result<Draft, Refusal> {
        let request = GenerateRequest {
            prompt: ask.prompt.clone(),
            max_new_tokens: usize::from(ask.max_new_tokens),
            temperature: ask.temperature(),
            seed: ask.seed,
            stop: self.end.clone(),
        };
        let (reply, result) = oneshot::channel();
        let submitted = self.engine.generate(request, move |generation| {
            // Nobody waits any more when the network ended first.
            let _ = reply.send(generation);
        });
        submitted.map_err(|error| match error {
            SubmitError::Overloaded { .. } => Refusal::Overloaded {
                retry_after_ms: RETRY_AFTER_MS,
            },
            SubmitError::TooLong { .. }
            | SubmitError::Empty
            | SubmitError::UnknownToken { .. }
            | SubmitError::Temperature { .. } => Refusal::OutOfBounds,
            _ => Refusal::NotServing,
        })?;
        match result.await {
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
                Err(Refusal::NotServing)
            }
            Err(_) => Err(Refusal::NotServing),
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
