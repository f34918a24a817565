//! Replays answers: one thread owns the teacher and the students, and turns an answer into an outcome.
//!
//! - *Batching.* What waits is replayed together: a prompt once for all answers to it, on the teacher as on a student.
//! - *Memory.* Students stay loaded as far as the bytes allow that the operator named; the one unused for longest goes first.
//! - *Failure.* Whatever fails here, a panic included, is this validator's trouble: the ask counts for nothing, the thread
//!   lives on, and what was loaded is loaded anew.
//!
//! Everything that carries pay is recomputed here from the committed checkpoint, the ask and the token ids.

use std::sync::Arc;

use athanor_model::{
    Checkpoint, DeviceChoice, Tokenizer, sampler,
    scorer::{LoadError, Logits, ScoreError},
};
use athanor_scoring::{
    evidence::{Calibration, TokenObservation},
    ledger::{AskOutcome, Load},
    transcript::Times,
};
use athanor_spec::{Answer, SubnetSpec};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::plan::PlannedAsk;

mod cache;
mod replayer;

pub use replayer::Replayer;

/// Replays waiting for the thread; whoever asks for one more waits.
const QUEUE: usize = 64;
/// Replays that are computed together, if as many wait.
const TOGETHER: usize = 16;

pub use athanor_scoring::transcript::Continuation as TeacherText;

/// What a replay found.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// What the ask counts as.
    pub outcome: AskOutcome,
    /// What each token says about seed and checkpoint; empty for greedy asks.
    pub tokens: Vec<TokenObservation>,
}

/// An answer to replay.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What was asked.
    pub planned: PlannedAsk,
    /// What came back; already checked for form.
    pub answer: Answer,
    /// By this validator's socket.
    pub times: Times,
    /// What else the miner was asked at the same time.
    pub load: Load,
    /// The checkpoint that the answer names.
    pub checkpoint: Arc<Checkpoint>,
    /// The teacher's continuation of the same prompt.
    pub reference: TeacherText,
}

/// Why an answer was not replayed. This validator's own trouble: neutral for the miner.
#[derive(Debug, Error)]
pub enum AuditError {
    /// A model failed to load.
    #[error("the replay failed: {0}")]
    Load(#[from] LoadError),
    /// A sequence cannot be replayed.
    #[error("the replay failed: {0}")]
    Score(#[from] ScoreError),
    /// The checkpoint alone takes more memory than replays may.
    #[error(
        "the checkpoint takes {bytes} bytes to replay, more than the {limit} allowed: raise --replay.memory"
    )]
    TooLarge {
        /// What it takes.
        bytes: u64,
        /// What is allowed.
        limit: u64,
    },
    /// The replay panicked, as a device does whose memory is exhausted.
    #[error("the replay failed: {message}")]
    Panicked {
        /// What it said.
        message: String,
    },
    /// The replay thread has ended.
    #[error("the replay thread has ended")]
    Stopped,
}

enum Job {
    Replay(Box<Replay>, oneshot::Sender<Result<Replayed, AuditError>>),
    Missing(
        PlannedAsk,
        TeacherText,
        oneshot::Sender<Result<AskOutcome, AuditError>>,
    ),
}

/// A handle on the replay thread. The thread ends when the last handle is dropped.
#[derive(Clone)]
pub struct Auditor {
    jobs: mpsc::Sender<Job>,
}

impl Auditor {
    /// Loads the teacher and starts the thread. `memory` bounds the students that stay loaded, in bytes.
    pub fn spawn(
        teacher: &Checkpoint,
        tokenizer: Tokenizer,
        device: DeviceChoice,
        memory: u64,
        spec: SubnetSpec,
        calibration: Calibration,
    ) -> Result<Self, AuditError> {
        let (jobs, mut queue) = mpsc::channel(QUEUE);
        let mut replayer = Replayer::new(teacher, tokenizer, (device, memory), spec, calibration)?;
        let thread = std::thread::Builder::new()
            .name("auditor".into())
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    let mut waiting = vec![job];
                    while waiting.len() < TOGETHER
                        && let Ok(job) = queue.try_recv()
                    {
                        waiting.push(job);
                    }
                    work(&mut replayer, waiting);
                }
            });
        match thread {
            Ok(_) => Ok(Self { jobs }),
            Err(_) => Err(AuditError::Stopped),
        }
    }

    /// Replays an answer.
    pub async fn replay(&self, replay: Replay) -> Result<Replayed, AuditError> {
        let (reply, outcome) = oneshot::channel();
        self.jobs
            .send(Job::Replay(Box::new(replay), reply))
            .await
            .map_err(|_| AuditError::Stopped)?;
        outcome.await.unwrap_or(Err(AuditError::Stopped))
    }

    /// The outcome of an ask that got no usable answer: charged as if it had stopped at once.
    pub async fn missing(
        &self,
        planned: PlannedAsk,
        reference: TeacherText,
    ) -> Result<AskOutcome, AuditError> {
        let (reply, outcome) = oneshot::channel();
        self.jobs
            .send(Job::Missing(planned, reference, reply))
            .await
            .map_err(|_| AuditError::Stopped)?;
        outcome.await.unwrap_or(Err(AuditError::Stopped))
    }
}

/// Answers what waits, the replays among it together.
fn work(replayer: &mut Replayer, waiting: Vec<Job>) {
    let (mut replays, mut replies) = (Vec::new(), Vec::new());
    for job in waiting {
        match job {
            // Of a round that has ended since.
            Job::Replay(_, reply) if reply.is_closed() => {}
            Job::Missing(_, _, reply) if reply.is_closed() => {}
            Job::Replay(replay, reply) => {
                replays.push(*replay);
                replies.push(reply);
            }
            // A caller that no longer waits is no failure.
            Job::Missing(planned, reference, reply) => {
                drop(reply.send(replayer.missing(&planned, &reference)));
            }
        }
    }
    for (outcome, reply) in replayer.replay_all(&replays).into_iter().zip(replies) {
        drop(reply.send(outcome));
    }
}

/// What each claimed token says about the seed and the checkpoint.
pub fn observe(
    logits: &Logits,
    tokens: &[u32],
    temperature: f32,
    seed: u64,
) -> Vec<TokenObservation> {
    sampler::observe_answer(logits, tokens, temperature, seed)
        .map(|seen| TokenObservation {
            margin: seen.margin,
            gap: seen.gap,
        })
        .collect()
}
