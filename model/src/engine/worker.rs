//! The engine's own side: the queue, the slots, and one turn over all running sequences.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};

use super::job::{Job, Sequence};
use super::{GenerateError, Serving, Shared, panic_message};
use crate::decode::{Decoder, Piece};

/// Given tokens that one turn takes in, so that a long prompt does not hold up the answers that are being drawn.
const PROMPT_TOKENS_PER_TURN: usize = 128;
/// A shorter prefix is computed again rather than copied from a slot that is in use.
const WORTH_COPYING: usize = 16;

/// What a handle sends.
pub(super) enum Command {
    /// Answer a request.
    Take(Job),
    /// Serve another model as soon as nothing runs on the old one.
    Swap(Swap),
}

/// A model that is ready to serve.
pub(super) struct Swap {
    pub(super) decoder: Box<dyn Decoder>,
    pub(super) checkpoint: [u8; 32],
    pub(super) done: mpsc::Sender<()>,
}

/// A place in the decoder's cache.
#[derive(Default)]
struct Slot {
    sequence: Option<Sequence>,
    /// Tokens whose keys and values the slot holds, when nothing runs in it.
    left: Vec<u32>,
}

/// The owner of the model and of all requests.
pub(super) struct Worker {
    decoder: Box<dyn Decoder>,
    shared: Arc<Shared>,
    slots: Vec<Slot>,
    waiting: VecDeque<Job>,
    swaps: VecDeque<Swap>,
    logits: Vec<f32>,
}

impl Worker {
    pub(super) fn new(decoder: Box<dyn Decoder>, slots: usize, shared: Arc<Shared>) -> Self {
        Self {
            decoder,
            shared,
            slots: (0..slots).map(|_| Slot::default()).collect(),
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
        self.slots.iter().any(|slot| slot.sequence.is_some())
    }

    /// Takes a command in; nothing is computed yet.
    pub(super) fn accept(&mut self, command: Command) {
        match command {
            Command::Take(job) => self.waiting.push_back(job),
            Command::Swap(swap) => self.swaps.push_back(swap),
        }
    }

    /// One turn: forget what was cancelled, swap if nothing runs, fill free slots, compute, draw, answer what is finished.
    /// A panic below answers everything in flight with an error.
    pub(super) fn turn(&mut self) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.try_turn())) {
            let message = panic_message(panic.as_ref());
            tracing::error!(
                message,
                "the engine failed; every request in flight is answered with an error"
            );
            let error = GenerateError::of_panic(message);
            // What the slots hold now is anybody's guess.
            let taken = self.slots.iter_mut().filter_map(|slot| {
                slot.left.clear();
                slot.sequence.take().map(Sequence::into_job)
            });
            for job in taken.chain(self.waiting.drain(..)).collect::<Vec<_>>() {
                job.fail(error.clone());
            }
        }
    }

    fn try_turn(&mut self) {
        self.drop_cancelled();
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

    fn drop_cancelled(&mut self) {
        for slot in &mut self.slots {
            if let Some(sequence) = slot.sequence.take_if(|sequence| sequence.is_cancelled()) {
                slot.left = sequence.held().collect();
                sequence.into_job().fail(GenerateError::Cancelled);
            }
        }
        if self.waiting.iter().any(Job::is_cancelled) {
            let (cancelled, waiting) = self.waiting.drain(..).partition(Job::is_cancelled);
            self.waiting = waiting;
            let cancelled: VecDeque<Job> = cancelled;
            cancelled
                .into_iter()
                .for_each(|job| job.fail(GenerateError::Cancelled));
        }
    }

    fn swap_in(&mut self, swap: Swap) {
        self.decoder = swap.decoder;
        self.slots.iter_mut().for_each(|slot| slot.left.clear());
        self.shared
            .set_serving(Serving::of(self.decoder.as_ref(), swap.checkpoint));
        // The caller may have given up waiting.
        let _ = swap.done.send(());
    }

    fn fill_slots(&mut self) {
        let serving = self.shared.serving();
        while let Some(free) = self.slots.iter().position(|slot| slot.sequence.is_none()) {
            let Some(job) = self.waiting.pop_front() else {
                return;
            };
            // The model may have changed since the request was taken.
            if let Err(error) = job.check(&serving) {
                job.fail(GenerateError::Refused(error));
                continue;
            }
            let (slot, reused) = self.place(free, &job);
            self.slots[slot].left.clear();
            self.slots[slot].sequence = Some(Sequence::new(job, reused));
        }
    }

    /// The slot for a request and how many of its tokens the slot then holds: a free slot that holds the longest prefix,
    /// or any free one with the prefix copied from where a longer one is. Keys and values of a token depend on the tokens up
    /// to it only, so that what follows has the same bits as if everything had been computed anew.
    fn place(&mut self, free: usize, job: &Job) -> (usize, usize) {
        let given = job.given();
        // The logits after the last token are wanted, so that it must be computed.
        let most = job.reusable();
        let shared = |held: &mut dyn Iterator<Item = u32>| {
            let same = held.zip(given).take_while(|(a, b)| a == *b).count();
            same.min(most)
        };
        let (mut own, mut source) = ((free, 0), (free, 0));
        for (index, slot) in self.slots.iter().enumerate() {
            match &slot.sequence {
                Some(sequence) => {
                    let count = shared(&mut sequence.held());
                    if count > source.1 {
                        source = (index, count);
                    }
                }
                None => {
                    let count = shared(&mut slot.left.iter().copied());
                    // Among equals the emptiest: what it holds is lost.
                    let cost = |index: usize| self.slots[index].left.len();
                    if count > own.1 || (count == own.1 && cost(index) < cost(own.0)) {
                        own = (index, count);
                    }
                    if count > source.1 {
                        source = (index, count);
                    }
                }
            }
        }
        let (slot, count) = if source.1 >= own.1 + WORTH_COPYING {
            (own.0, source)
        } else {
            (own.0, own)
        };
        self.decoder.share(count.0, slot, count.1);
        (slot, count.1)
    }

    fn compute(&mut self) {
        let mut pieces = Vec::with_capacity(self.slots.len());
        // (slot, tokens fed, rows of logits)
        let mut fed = Vec::with_capacity(self.slots.len());
        let mut budget = PROMPT_TOKENS_PER_TURN;
        for (slot, place) in self.slots.iter().enumerate() {
            let Some(sequence) = &place.sequence else {
                continue;
            };
            let (tokens, from) = sequence.next(budget);
            if tokens.is_empty() {
                continue;
            }
            if sequence.in_prompt() {
                budget -= tokens.len();
            }
            pieces.push(Piece { slot, tokens, from });
            fed.push((slot, tokens.len(), tokens.len() - from));
        }
        if pieces.is_empty() {
            return;
        }
        self.decoder.forward(&pieces, &mut self.logits);
        let vocab = self.decoder.vocab();
        let mut rows = self.logits.chunks_exact(vocab);
        let checkpoint = self.shared.serving().checkpoint;
        for (slot, count, wanted) in fed {
            let rows: Vec<&[f32]> = rows.by_ref().take(wanted).collect();
            let place = &mut self.slots[slot];
            let Some(sequence) = &mut place.sequence else {
                continue;
            };
            if let Some(finish) = sequence.advance(count, &rows)
                && let Some(sequence) = place.sequence.take()
            {
                place.left = sequence.held().collect();
                sequence.finish(finish, checkpoint);
            }
        }
    }
}
