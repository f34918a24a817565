//! The engine's own side: the queue, the slots, and one turn over all running sequences.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use super::{
    Finish, GenerateError, GenerateRequest, Generation, Permit, Serving, Shared, Timing,
    panic_message,
};
use crate::decode::{Decoder, Piece};
use crate::sampler;

/// Prompt tokens that one turn takes in, so that a long prompt does not hold up the answers that are being drawn.
const PROMPT_TOKENS_PER_TURN: usize = 128;

type Reply = Box<dyn FnOnce(Result<Generation, GenerateError>) + Send>;

/// What a handle sends.
pub(super) enum Command {
    /// Answer a request.
    Generate(Job),
    /// Serve another model as soon as nothing runs on the old one.
    Swap(Swap),
}

/// A model that is ready to serve.
pub(super) struct Swap {
    pub(super) decoder: Box<dyn Decoder>,
    pub(super) checkpoint: [u8; 32],
    pub(super) done: mpsc::Sender<()>,
}

/// A request that was taken.
pub(super) struct Job {
    request: GenerateRequest,
    reply: Reply,
    permit: Permit,
    submitted: Instant,
}

/// A request that has a slot.
struct Sequence {
    job: Job,
    /// Prompt tokens that were taken in.
    prefilled: usize,
    tokens: Vec<u32>,
    started: Instant,
    first_token: Option<Instant>,
}

/// The owner of the model and of all requests.
pub(super) struct Worker {
    decoder: Box<dyn Decoder>,
    shared: Arc<Shared>,
    slots: Vec<Option<Sequence>>,
    waiting: VecDeque<Job>,
    swaps: VecDeque<Swap>,
    logits: Vec<f32>,
}

impl Job {
    pub(super) fn new(request: GenerateRequest, reply: Reply, permit: Permit) -> Self {
        Self {
            request,
            reply,
            permit,
            submitted: Instant::now(),
        }
    }

    /// Makes room for another request, then answers: whoever hears the answer may ask again at once.
    fn answer(self, result: Result<Generation, GenerateError>) {
        drop(self.permit);
        let reply = self.reply;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| reply(result))) {
            let message = panic_message(panic.as_ref());
            tracing::error!(message, "a reply to a generation panicked");
        }
    }
}

impl Worker {
    pub(super) fn new(decoder: Box<dyn Decoder>, slots: usize, shared: Arc<Shared>) -> Self {
        Self {
            decoder,
            shared,
            slots: (0..slots).map(|_| None).collect(),
            waiting: VecDeque::new(),
            swaps: VecDeque::new(),
            logits: Vec::new(),
        }
    }

    /// Serves until every handle is gone and everything in flight is answered.
    pub(super) fn run(&mut self, commands: &mpsc::Receiver<Command>) {
        loop {
            while self.is_busy() {
                while let Ok(command) = commands.try_recv() {
                    self.accept(command);
                }
                self.turn();
            }
            match commands.recv() {
                Ok(command) => self.accept(command),
                Err(mpsc::RecvError) => return,
            }
        }
    }

    /// Whether there is anything to do without a further command.
    pub(super) fn is_busy(&self) -> bool {
        self.is_running() || !self.waiting.is_empty() || !self.swaps.is_empty()
    }

    fn is_running(&self) -> bool {
        self.slots.iter().any(Option::is_some)
    }

    /// Takes a command in; nothing is computed yet.
    pub(super) fn accept(&mut self, command: Command) {
        match command {
            Command::Generate(job) => self.waiting.push_back(job),
            Command::Swap(swap) => self.swaps.push_back(swap),
        }
    }

    /// One turn: swap if nothing runs, fill free slots, compute, draw, answer what is finished. A panic below answers
    /// everything in flight with an error.
    pub(super) fn turn(&mut self) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.try_turn())) {
            let message = panic_message(panic.as_ref());
            tracing::error!(
                message,
                "the engine failed; every request in flight is answered with an error"
            );
            let running = self
                .slots
                .iter_mut()
                .filter_map(|slot| slot.take().map(|s| s.job));
            for job in running.chain(self.waiting.drain(..)).collect::<Vec<_>>() {
                job.answer(Err(GenerateError::Failed {
                    message: message.clone(),
                }));
            }
        }
    }

    fn try_turn(&mut self) {
        if !self.is_running() {
            while let Some(swap) = self.swaps.pop_front() {
                self.swap_in(swap);
            }
        }
        // While a swap waits nothing starts, so that the running sequences drain.
        if self.swaps.is_empty() {
            self.fill_slots();
        }
        self.compute();
    }

    fn swap_in(&mut self, swap: Swap) {
        self.decoder = swap.decoder;
        self.shared
            .set_serving(Serving::of(self.decoder.as_ref(), swap.checkpoint));
        // The caller may have given up waiting.
        let _ = swap.done.send(());
    }

    fn fill_slots(&mut self) {
        let serving = self.shared.serving();
        for index in 0..self.slots.len() {
            while self.slots[index].is_none() {
                let Some(job) = self.waiting.pop_front() else {
                    return;
                };
                // The model may have changed since the request was taken.
                if let Err(error) = serving.check(&job.request) {
                    job.answer(Err(GenerateError::Refused(error)));
                    continue;
                }
                self.decoder.clear(index);
                self.slots[index] = Some(Sequence {
                    tokens: Vec::with_capacity(job.request.max_new_tokens),
                    prefilled: 0,
                    started: Instant::now(),
                    first_token: None,
                    job,
                });
            }
        }
    }

    fn compute(&mut self) {
        let mut pieces = Vec::with_capacity(self.slots.len());
        // (slot, tokens fed, whether a token is drawn)
        let mut fed = Vec::with_capacity(self.slots.len());
        let mut budget = PROMPT_TOKENS_PER_TURN;
        for (slot, sequence) in self.slots.iter().enumerate() {
            let Some(sequence) = sequence else { continue };
            let tokens = match sequence.tokens.last() {
                Some(last) => std::slice::from_ref(last),
                None => {
                    let rest = &sequence.job.request.prompt[sequence.prefilled..];
                    &rest[..rest.len().min(budget)]
                }
            };
            if tokens.is_empty() {
                continue;
            }
            let in_prompt = sequence.tokens.is_empty();
            if in_prompt {
                budget -= tokens.len();
            }
            let draws = !in_prompt
                || sequence.prefilled + tokens.len() == sequence.job.request.prompt.len();
            let from = if draws {
                tokens.len() - 1
            } else {
                tokens.len()
            };
            pieces.push(Piece { slot, tokens, from });
            fed.push((slot, tokens.len(), draws));
        }
        if pieces.is_empty() {
            return;
        }
        self.decoder.forward(&pieces, &mut self.logits);
        let vocab = self.decoder.vocab();
        let mut rows = self.logits.chunks_exact(vocab);
        let checkpoint = self.shared.serving().checkpoint;
        for (slot, count, draws) in fed {
            let sequence = self.slots[slot]
                .as_mut()
                .expect("the slot was fed this turn");
            if sequence.tokens.is_empty() {
                sequence.prefilled += count;
            }
            if !draws {
                continue;
            }
            let row = rows.next().expect("one row for each sequence that draws");
            if let Some(finish) = sequence.draw(row)
                && let Some(sequence) = self.slots[slot].take()
            {
                sequence.finish(finish, checkpoint);
            }
        }
    }
}

impl Sequence {
    /// Draws the next token; why the answer ends, if it does.
    fn draw(&mut self, logits: &[f32]) -> Option<Finish> {
        let request = &self.job.request;
        let step = self.tokens.len() as u32;
        let token = sampler::sample(logits, request.temperature, request.seed, step);
        self.tokens.push(token);
        self.first_token.get_or_insert_with(Instant::now);
        if request.stop == Some(token) {
            Some(Finish::Stop)
        } else if self.tokens.len() == request.max_new_tokens {
            Some(Finish::Length)
        } else {
            None
        }
    }

    fn finish(self, finish: Finish, checkpoint: [u8; 32]) {
        let first = self.first_token.unwrap_or(self.started);
        let timing = Timing {
            queued: self.started - self.job.submitted,
            prefill: first - self.started,
            decode: first.elapsed(),
        };
        self.job.answer(Ok(Generation {
            tokens: self.tokens,
            finish,
            checkpoint,
            timing,
        }));
    }
}
