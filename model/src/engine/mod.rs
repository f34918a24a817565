//! Serve a model: one thread owns it, any number of handles ask it for tokens.
//!
//! - *Ownership.* The thread owns the decoder and every sequence. A handle holds a channel and two numbers.
//! - *Batching.* A fixed number of slots; sequences join and leave between turns. One turn feeds every running
//!   sequence one token, and a bounded number of prompt tokens of those that have just joined. Requests for scores run
//!   in the same slots and turns.
//! - *Prefixes.* A slot keeps what it holds until it is needed. A request that begins as another one did takes over
//!   what was computed for it, and is answered with the same bits.
//! - *Cancellation.* A request that nobody waits for any more leaves between turns.
//! - *Backpressure.* At most `slots + queue` requests are in flight; one more is refused at once as `Overloaded`.
//! - *Swap.* A new model is loaded on the caller's thread. Sequences in progress finish on the old one, those that
//!   wait start on the new one; none is dropped.
//! - *Failure ladder.* A request that the new model cannot take is answered with an error. A panic inside a turn
//!   answers every request in flight with an error; the thread and its queue of later requests live on.

mod job;
mod worker;

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock, mpsc};
use std::time::Duration;

use thiserror::Error;

use crate::checkpoint::Checkpoint;
use crate::config::StopTokens;
pub use crate::decode::LoadError;
use crate::decode::{Decoder, Weights};
use crate::device::DeviceChoice;
use crate::kernels::packed::WeightFormat;
use crate::sampler::Margin;
pub use job::{Cancel, Event};
use job::{Job, Work};
use worker::{Command, Swap, Worker};

/// How an engine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Sequences that are computed at once; at least one is used.
    pub slots: usize,
    /// Requests that may wait for a slot.
    pub queue: usize,
    /// Where the model runs.
    pub device: DeviceChoice,
    /// How its weight matrices are kept in memory. Narrow ones change the answers a little: whoever audits them against
    /// the checkpoint sees the difference.
    pub weights: WeightFormat,
    /// The longest sequence, prompt and answer together, in tokens; the model's own limit if that is smaller.
    pub max_context: usize,
}

/// A request for tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateRequest {
    /// Token ids to continue; at least one.
    pub prompt: Vec<u32>,
    /// Upper bound on generated tokens, the stop token included; at least one.
    pub max_new_tokens: usize,
    /// Temperature of the draw; zero is the plain argmax.
    pub temperature: f32,
    /// Seed of the draw.
    pub seed: u64,
    /// Tokens of which any one ends the answer.
    pub stop: StopTokens,
}

/// A request to measure tokens that are there already.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreRequest {
    /// Token ids, at least two.
    pub tokens: Vec<u32>,
    /// The first one that is measured; at least one, since nothing predicts the first token.
    pub from: usize,
    /// Temperature of the draw that the tokens are held against.
    pub temperature: f32,
    /// Seed of that draw; its step zero is that of token `from`.
    pub seed: u64,
}

/// How a token fits what the model would have said in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// The token.
    pub token: u32,
    /// Its log-probability in nats, at temperature one.
    pub log_probability: f32,
    /// How far it lies from the seeded draw.
    pub margin: Margin,
}

/// A finished answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// Generated token ids; the stop token is the last when it was drawn.
    pub tokens: Vec<u32>,
    /// Why the answer ended.
    pub finish: Finish,
    /// Digest of the checkpoint that drew every one of the tokens.
    pub checkpoint: [u8; 32],
    /// Tokens of the prompt that were taken over from another request.
    pub reused: usize,
    /// Where the time went.
    pub timing: Timing,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The stop token was drawn.
    Stop,
    /// `max_new_tokens` were generated.
    Length,
}

/// Where a request's time went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// From submission to a slot.
    pub queued: Duration,
    /// From the slot to the first token.
    pub prefill: Duration,
    /// From the first token to the last.
    pub decode: Duration,
}

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// As many requests as the engine holds are in flight.
    #[error("overloaded: {in_flight} requests are in flight, which is all that the engine holds")]
    Overloaded {
        /// Requests in flight.
        in_flight: usize,
    },
    /// Prompt and answer do not fit the context.
    #[error("{tokens} tokens of prompt and answer; the context is {limit}")]
    TooLong {
        /// Tokens of prompt and answer.
        tokens: usize,
        /// The longest sequence.
        limit: usize,
    },
    /// The prompt or the answer would have no token.
    #[error("a request needs at least one token of prompt and one of answer")]
    Empty,
    /// The first token that is to be measured has none before it, or lies beyond the end.
    #[error(
        "token {from} of {tokens} cannot be measured: it must have one before it and not lie beyond the end"
    )]
    From {
        /// The token's place.
        from: usize,
        /// Number of tokens.
        tokens: usize,
    },
    /// A token that the model does not know.
    #[error("token {token} is not below the vocabulary's {vocab}")]
    UnknownToken {
        /// The token.
        token: u32,
        /// Number of token ids.
        vocab: usize,
    },
    /// A temperature that is negative or not a number.
    #[error("temperature {found} is not a number from zero on")]
    Temperature {
        /// The temperature.
        found: f32,
    },
    /// The engine's thread has ended.
    #[error("the engine has stopped")]
    Stopped,
}

/// Why a request that was taken has no answer.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The engine panicked while the request was in flight.
    #[error("the engine failed: {message}")]
    Failed {
        /// What the panic said.
        message: String,
    },
    /// The device's memory is exhausted. Whatever else is in flight failed too; later requests are served.
    #[error("out of memory on the device: {message}; use fewer slots or a shorter context")]
    OutOfMemory {
        /// What the driver said.
        message: String,
    },
    /// Whoever asked has cancelled the request.
    #[error("the request was cancelled")]
    Cancelled,
    /// The model was swapped while the request waited, and the new one cannot take it.
    #[error("refused by the checkpoint that was swapped in: {0}")]
    Refused(SubmitError),
}

impl GenerateError {
    /// What a panic inside a turn means. The CUDA runtime reports exhausted memory by one, hence the look at its words.
    fn of_panic(message: String) -> Self {
        if is_out_of_memory(&message) {
            Self::OutOfMemory { message }
        } else {
            Self::Failed { message }
        }
    }
}

/// Whether a driver's words say that memory is exhausted.
pub(crate) fn is_out_of_memory(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "out of memory",
        "out_of_memory",
        "outofmemory",
        "memory allocation",
        "can't allocate buffer",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// A handle on a running engine. Dropping the last one ends the thread once what is in flight is answered.
#[derive(Clone)]
pub struct Engine {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    config: EngineConfig,
}

/// What handles read without asking the thread.
struct Shared {
    in_flight: AtomicUsize,
    capacity: usize,
    serving: RwLock<Serving>,
}

/// The model that is served, as far as a handle needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Serving {
    checkpoint: [u8; 32],
    vocab: usize,
    max_context: usize,
}

/// One request's place among those in flight; dropping it makes room.
struct Permit(Arc<Shared>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Loads a checkpoint and starts the thread that serves it. Returns when it is ready.
pub fn spawn(checkpoint: &Checkpoint, config: EngineConfig) -> Result<Engine, LoadError> {
    spawn_decoder(load(checkpoint, config)?, checkpoint.digest(), config)
}

fn load(checkpoint: &Checkpoint, config: EngineConfig) -> Result<Box<dyn Decoder>, LoadError> {
    let weights = Weights::load(checkpoint, config.device, config.weights)?;
    Ok(weights.decoder(config.slots.max(1), config.max_context))
}

/// Starts the thread for a decoder that is loaded already.
fn spawn_decoder(
    decoder: Box<dyn Decoder>,
    checkpoint: [u8; 32],
    config: EngineConfig,
) -> Result<Engine, LoadError> {
    let (commands, received) = mpsc::channel();
    let slots = config.slots.max(1);
    let shared = Arc::new(Shared {
        in_flight: AtomicUsize::new(0),
        capacity: slots + config.queue,
        serving: RwLock::new(Serving::of(decoder.as_ref(), checkpoint)),
    });
    let mut worker = Worker::new(decoder, slots, shared.clone());
    std::thread::Builder::new()
        .name("athanor-engine".into())
        .spawn(move || worker.run(&received))
        .map_err(LoadError::Thread)?;
    Ok(Engine {
        commands,
        shared,
        config,
    })
}

impl Engine {
    /// Submits a request and returns at once; `reply` is called once, on the engine's thread, and must not block.
    pub fn generate(
        &self,
        request: GenerateRequest,
        reply: impl FnOnce(Result<Generation, GenerateError>) + Send + 'static,
    ) -> Result<(), SubmitError> {
        let mut reply = Some(reply);
        let events = move |event| {
            let Event::End(result) = event else { return };
            if let Some(reply) = reply.take() {
                reply(result);
            }
        };
        self.stream(request, events).map(drop)
    }

    /// Submits a request and returns at once; `events` hears of every token, and of the end, on the engine's thread, and
    /// must not block.
    pub fn stream(
        &self,
        request: GenerateRequest,
        events: impl FnMut(Event) + Send + 'static,
    ) -> Result<Cancel, SubmitError> {
        self.shared.serving().check(&request)?;
        let events = Box::new(events);
        self.take(Work::Generate { request, events })
    }

    /// Submits tokens to be measured and returns at once; `reply` is called once, on the engine's thread, with one result
    /// for each token from `from` on, and must not block.
    pub fn score(
        &self,
        request: ScoreRequest,
        reply: impl FnOnce(Result<Vec<Scored>, GenerateError>) + Send + 'static,
    ) -> Result<Cancel, SubmitError> {
        self.shared.serving().check_score(&request)?;
        let reply = Box::new(reply);
        self.take(Work::Score { request, reply })
    }

    fn take(&self, work: Work) -> Result<Cancel, SubmitError> {
        let (permit, cancel) = (self.shared.permit()?, Cancel::default());
        let job = Job::new(work, permit, cancel.clone());
        self.commands
            .send(Command::Take(job))
            .map_err(|_| SubmitError::Stopped)?;
        Ok(cancel)
    }

    /// Loads another checkpoint and serves it. Blocks until requests start on it; those in progress finish on the
    /// old one. On an error the old one serves on.
    pub fn swap(&self, checkpoint: &Checkpoint) -> Result<(), LoadError> {
        let decoder = load(checkpoint, self.config)?;
        let (done, swapped) = mpsc::channel();
        let swap = Swap {
            decoder,
            checkpoint: checkpoint.digest(),
            done,
        };
        self.commands
            .send(Command::Swap(swap))
            .map_err(|_| LoadError::Stopped)?;
        swapped.recv().map_err(|_| LoadError::Stopped)
    }

    /// Digest of the checkpoint that new requests are served by.
    pub fn checkpoint(&self) -> [u8; 32] {
        self.shared.serving().checkpoint
    }

    /// Requests that run or wait.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::Acquire)
    }

    /// The longest sequence, prompt and answer together, in tokens.
    pub fn max_context(&self) -> usize {
        self.shared.serving().max_context
    }
}

impl Shared {
    fn serving(&self) -> Serving {
        // A writer only stores a plain value, so that a poisoned lock still holds a whole one.
        *self
            .serving
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn set_serving(&self, serving: Serving) {
        *self
            .serving
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = serving;
    }

    fn permit(self: &Arc<Self>) -> Result<Permit, SubmitError> {
        let more = |n| (n < self.capacity).then_some(n + 1);
        self.in_flight
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .map(|_| Permit(self.clone()))
            .map_err(|in_flight| SubmitError::Overloaded { in_flight })
    }
}

impl Serving {
    fn of(decoder: &dyn Decoder, checkpoint: [u8; 32]) -> Self {
        Self {
            checkpoint,
            vocab: decoder.vocab(),
            max_context: decoder.max_context(),
        }
    }

    /// Whether the model can take a request.
    fn check(&self, request: &GenerateRequest) -> Result<(), SubmitError> {
        if request.prompt.is_empty() || request.max_new_tokens == 0 {
            return Err(SubmitError::Empty);
        }
        let tokens = request.prompt.len().saturating_add(request.max_new_tokens);
        if tokens > self.max_context {
            return Err(SubmitError::TooLong {
                tokens,
                limit: self.max_context,
            });
        }
        self.check_draw(&request.prompt, request.temperature)
    }

    /// Whether the model can measure these tokens.
    fn check_score(&self, request: &ScoreRequest) -> Result<(), SubmitError> {
        let (tokens, from) = (request.tokens.len(), request.from);
        if tokens > self.max_context {
            return Err(SubmitError::TooLong {
                tokens,
                limit: self.max_context,
            });
        }
        if from == 0 || from >= tokens {
            return Err(SubmitError::From { from, tokens });
        }
        self.check_draw(&request.tokens, request.temperature)
    }

    fn check_draw(&self, tokens: &[u32], temperature: f32) -> Result<(), SubmitError> {
        if !(temperature >= 0.0 && temperature.is_finite()) {
            return Err(SubmitError::Temperature { found: temperature });
        }
        let vocab = self.vocab;
        match tokens.iter().find(|&&token| token as usize >= vocab) {
            Some(&token) => Err(SubmitError::UnknownToken { token, vocab }),
            None => Ok(()),
        }
    }
}

/// What a caught panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into())
}

#[cfg(test)]
mod tests;
