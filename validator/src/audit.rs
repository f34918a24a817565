//! Replays answers: one thread owns the teacher and the students, and turns an answer into an outcome.
//!
//! Everything that carries pay is recomputed here from the committed checkpoint, the ask and the token ids.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use athanor_model::{
    Checkpoint, DeviceChoice, Tokenizer, sampler,
    scorer::{LoadError, Logits, ScoreError, Scorer, Tree},
};
use athanor_scoring::{
    evidence::{Calibration, TokenObservation},
    fidelity::{self, Ending, FidelitySums, Reference, TokenDivergence},
    grade::{self, Text},
    ledger::AskOutcome,
    task,
    transcript::Times,
};
use athanor_spec::{Answer, Finish, SubnetSpec};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::plan::{Content, PlannedAsk};

/// Students kept loaded; the one unused for longest is dropped first.
const MAX_STUDENTS: usize = 32;
/// Replays waiting for the thread; whoever asks for one more waits.
const QUEUE: usize = 64;

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
    /// Loads the teacher and starts the thread.
    pub fn spawn(
        teacher: &Checkpoint,
        tokenizer: Tokenizer,
        device: DeviceChoice,
        spec: SubnetSpec,
        calibration: Calibration,
    ) -> Result<Self, AuditError> {
        let (jobs, mut queue) = mpsc::channel(QUEUE);
        let mut replayer = Replayer {
            teacher: Scorer::load(teacher, device)?,
            tokenizer,
            students: HashMap::new(),
            clock: 0,
            device,
            spec,
            calibration,
        };
        let thread = std::thread::Builder::new()
            .name("auditor".into())
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    match job {
                        // A caller that no longer waits is no failure.
                        Job::Replay(replay, reply) => drop(reply.send(replayer.replay(&replay))),
                        Job::Missing(planned, reference, reply) => {
                            drop(reply.send(replayer.missing(&planned, &reference)));
                        }
                    }
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

/// The models and the parameters of a replay; plain and synchronous.
pub struct Replayer {
    teacher: Scorer,
    tokenizer: Tokenizer,
    students: HashMap<PathBuf, (Scorer, u64)>,
    clock: u64,
    device: DeviceChoice,
    spec: SubnetSpec,
    calibration: Calibration,
}

impl Replayer {
    /// Replays one answer on student and teacher.
    pub fn replay(&mut self, replay: &Replay) -> Result<Replayed, AuditError> {
        let Replay {
            planned,
            answer,
            times,
            checkpoint,
            reference,
        } = replay;
        let ask = &planned.ask;
        let tree = Tree {
            prompt: &ask.prompt,
            branches: vec![&answer.tokens, &reference.tokens],
        };
        self.load(checkpoint)?;
        let Some((student, _)) = self.students.get_mut(&checkpoint.dir) else {
            return Err(AuditError::Stopped);
        };
        let student = student
            .logits_of_trees(std::slice::from_ref(&tree))?
            .concat();
        let teacher = self.teacher.logits_of_trees(&[tree])?.concat();
        let ([student_own, student_forced], [teacher_own, teacher_forced]) =
            (student.as_slice(), teacher.as_slice())
        else {
            return Err(AuditError::Stopped);
        };

        let tokens = match ask.temperature_milli {
            0 => Vec::new(),
            _ => observe(student_own, &answer.tokens, ask.temperature(), ask.seed),
        };
        let e_value = self
            .calibration
            .covers(ask.temperature_milli)
            .then(|| self.calibration.request_e_value(&tokens));
        let grade = &self.spec.grade;
        let divergences =
            |student: &Logits, teacher: &Logits, tokens: usize| -> Vec<TokenDivergence> {
                (0..tokens)
                    .map(|t| fidelity::divergence(student.row(t), teacher.row(t), grade))
                    .collect()
            };
        let own = divergences(student_own, teacher_own, answer.tokens.len());
        let forced = divergences(student_forced, teacher_forced, reference.tokens.len());
        let ending = match (answer.finish, answer.tokens.last()) {
            (Finish::Stop, Some(end)) => Ending::Stopped {
                teacher_probability: fidelity::probability(
                    teacher_own.row(answer.tokens.len() - 1),
                    *end,
                ),
            },
            _ => Ending::Limit,
        };
        let credit = match &planned.content {
            Content::Continuation => None,
            // Undecodable tokens are an answer like any other: a wrong one.
            Content::Task(item) => {
                let text = self.tokenizer.decode(&answer.tokens).unwrap_or_default();
                Some(task::grade(item, &text))
            }
        };
        let outcome = AskOutcome::Answered {
            e_value,
            fidelity: FidelitySums::of_answer(&own, ending, &forced, grade),
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
                grade,
            ),
            service: grade::service(
                times.charged_ms(),
                u32::try_from(answer.tokens.len()).unwrap_or(u32::MAX),
                &self.spec.service,
            ),
        };
        Ok(Replayed { outcome, tokens })
    }

    fn missing(
        &mut self,
        planned: &PlannedAsk,
        reference: &TeacherText,
    ) -> Result<AskOutcome, AuditError> {
        let forced = [planned.ask.prompt.as_slice(), &reference.tokens].concat();
        let logits = self.teacher.logits(&forced, planned.ask.prompt.len())?;
        let grade = &self.spec.grade;
        let divergences: Vec<TokenDivergence> = (0..reference.tokens.len())
            .map(|t| fidelity::divergence(logits.row(t), logits.row(t), grade))
            .collect();
        Ok(AskOutcome::Failed {
            fidelity: FidelitySums::of_missing(Reference::of(&divergences), grade),
            checkable: matches!(planned.content, Content::Task(_)),
        })
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), AuditError> {
        self.clock += 1;
        if let Some((_, used)) = self.students.get_mut(&checkpoint.dir) {
            *used = self.clock;
            return Ok(());
        }
        let scorer = Scorer::load(checkpoint, self.device)?;
        self.students
            .insert(checkpoint.dir.clone(), (scorer, self.clock));
        if self.students.len() > MAX_STUDENTS {
            let oldest = self
                .students
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(dir, _)| dir.clone());
            if let Some(dir) = oldest {
                self.students.remove(&dir);
            }
        }
        Ok(())
    }
}

/// What each claimed token says about the seed and the checkpoint.
pub fn observe(
    logits: &Logits,
    tokens: &[u32],
    temperature: f32,
    seed: u64,
) -> Vec<TokenObservation> {
    tokens
        .iter()
        .enumerate()
        .map(|(t, token)| {
            let seen = sampler::observe(logits.row(t), *token, temperature, seed, t as u32);
            TokenObservation {
                margin: seen.margin,
                gap: seen.gap,
            }
        })
        .collect()
}
