//! Keep a student in training on a thread of its own, and publish what the gate lets through.
//!
//! The thread owns the trainer. It leaves the rest of the machine its share: after every step it rests in proportion to the
//! step's length. Its directory holds `state-a` and `state-b` (the newest whole state of two, f32), `published/STEP` and
//! `best/STEP` (the checkpoints with the lowest held-out loss). After a kill at any moment a new worker goes on from the
//! newest whole state, bit for bit on the CPU: weights, the optimiser's moments, the examples and their order, the gate.

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use athanor_model::{
    Checkpoint, DeviceChoice, DeviceError, OnDevice, Precision, TrainBackend,
    checkpoint::CheckpointError,
};
use thiserror::Error;

use crate::{
    gate::{Gate, GateError, GateSettings},
    resume::Resume,
    shard::Shard,
    source::Source,
    trainer::{StepReport, Trainer, TrainerConfig, TrainerError},
};

/// Published checkpoints that are kept: validators may still fetch the ones before the newest.
const KEPT: usize = 4;

/// The longest rest after a step: with less of a share than that a worker makes no progress to speak of.
const LONGEST_REST: Duration = Duration::from_secs(3600);

/// How a worker runs.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Directory of states and published checkpoints.
    pub dir: PathBuf,
    /// The student to start from when the directory holds none.
    pub student: Checkpoint,
    /// How it is trained.
    pub trainer: TrainerConfig,
    /// When a checkpoint is good enough to be published.
    pub gate: GateSettings,
    /// Where the student is trained and its teacher runs.
    pub device: DeviceChoice,
    /// Threads that a step on the CPU is shared between; the result does not depend on their number.
    pub threads: NonZeroUsize,
    /// Share of the time, in (0, 1]; 0.5 rests as long as it works. [`Worker::set_duty`] changes it.
    pub duty: f64,
    /// Steps between two candidates for publication.
    pub judge_every: u64,
    /// Held-out examples that a candidate is shown at most.
    pub judge_examples: usize,
    /// Steps between two states on disk, which bounds what a kill loses.
    pub save_every: u64,
    /// Candidates with the lowest held-out loss that are kept, whether or not they were published.
    pub keep_best: usize,
    /// Stop by itself at this step count; `None` goes on until stopped.
    pub until_step: Option<u64>,
}

impl WorkerConfig {
    /// The settings that suit a small student beside its own server.
    pub fn small(dir: PathBuf, student: Checkpoint, seed: u64) -> WorkerConfig {
        WorkerConfig {
            dir,
            student,
            trainer: TrainerConfig::small(seed),
            gate: GateSettings::default(),
            device: DeviceChoice::Cpu,
            threads: NonZeroUsize::MIN,
            duty: 0.5,
            judge_every: 60,
            judge_examples: 96,
            save_every: 30,
            keep_best: 0,
            until_step: None,
        }
    }
}

/// What a worker tells.
#[derive(Clone, Debug)]
pub enum DistillEvent {
    /// Training begins, or goes on from a state.
    Started {
        /// Steps so far.
        step: u64,
        /// Whether a state was found.
        resumed: bool,
        /// Mean held-out loss now, nats per token of KL to the teacher.
        heldout_loss: f32,
    },
    /// A step was made.
    Step(StepReport),
    /// A candidate was compared with the served checkpoint.
    Judged {
        /// Steps so far.
        step: u64,
        /// Mean held-out loss of the candidate, nats per token of KL to the teacher.
        heldout_loss: f32,
        /// The evidence that it is better.
        e_value: f64,
        /// The evidence that it needs.
        threshold: f64,
        /// Examples that it was shown.
        examples: u64,
    },
    /// The candidate passed and lies on disk.
    Published {
        /// Steps so far.
        step: u64,
        /// The checkpoint, in half precision.
        checkpoint: Checkpoint,
    },
    /// Training ended.
    Stopped {
        /// Steps in all.
        step: u64,
    },
    /// Training failed, and the thread ends.
    Failed {
        /// What happened, with its causes.
        error: String,
    },
}

/// Why a worker cannot run.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// The trainer failed.
    #[error(transparent)]
    Trainer(#[from] TrainerError),
    /// The gate's settings make no gate.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A checkpoint does not open.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The device does not work.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The share of the time is none.
    #[error("duty = {0} is not in (0, 1]")]
    Duty(f64),
    /// The directory cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The thread cannot be started.
    #[error("cannot start the training thread: {0}")]
    Thread(#[source] io::Error),
    /// The threads that share a step cannot be started.
    #[error("cannot start the threads of a training step: {0}")]
    Pool(#[from] rayon::ThreadPoolBuildError),
    /// The thread panicked.
    #[error("the training thread panicked")]
    Panicked,
}

/// A running worker. Dropping it stops the thread after the step in progress.
pub struct Worker {
    control: Arc<Control>,
    thread: Option<JoinHandle<Result<u64, WorkerError>>>,
}

/// What the owner wants of the thread.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Run,
    Pause,
    Stop,
}

struct Control {
    wish: Mutex<Wish>,
    changed: Condvar,
    /// Bits of the share of the time that it may work.
    duty: AtomicU64,
}

/// Starts a worker. `shard` spares it recording the teacher for its first pass; `on_event` is called on its thread and
/// should be quick.
pub fn spawn(
    config: WorkerConfig,
    source: Arc<Source>,
    shard: Option<Arc<Shard>>,
    on_event: impl FnMut(DistillEvent) + Send + 'static,
) -> Result<Worker, WorkerError> {
    check_duty(config.duty)?;
    fs::create_dir_all(&config.dir).map_err(|source| WorkerError::Directory {
        path: config.dir.clone(),
        source,
    })?;
    let control = Arc::new(Control {
        wish: Mutex::new(Wish::Run),
        changed: Condvar::new(),
        duty: AtomicU64::new(config.duty.to_bits()),
    });
    let shared = Arc::clone(&control);
    let thread = std::thread::Builder::new()
        .name("distill".into())
        .spawn(move || {
            let mut on_event = on_event;
            let ended = run(&config, source, shard, &shared, &mut on_event);
            match &ended {
                Ok(step) => on_event(DistillEvent::Stopped { step: *step }),
                Err(error) => on_event(DistillEvent::Failed {
                    error: error.to_string(),
                }),
            }
            ended
        });
    Ok(Worker {
        control,
        thread: Some(thread.map_err(WorkerError::Thread)?),
    })
}

impl Worker {
    /// Lets the step in progress end and then waits.
    pub fn pause(&self) {
        self.control.wish_for(Wish::Pause);
    }

    /// Goes on after a pause.
    pub fn resume(&self) {
        self.control.wish_for(Wish::Run);
    }

    /// Changes the share of the time that it works, from the step in progress on.
    pub fn set_duty(&self, duty: f64) -> Result<(), WorkerError> {
        check_duty(duty)?;
        self.control.duty.store(duty.to_bits(), Ordering::Relaxed);
        Ok(())
    }

    /// Saves the state, ends the thread and returns the steps made in all.
    pub fn stop(mut self) -> Result<u64, WorkerError> {
        self.control.wish_for(Wish::Stop);
        self.join()
    }

    /// Waits until the worker ends by itself ([`WorkerConfig::until_step`]) or fails.
    pub fn wait(mut self) -> Result<u64, WorkerError> {
        self.join()
    }

    fn join(&mut self) -> Result<u64, WorkerError> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) | None => Err(WorkerError::Panicked),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.control.wish_for(Wish::Stop);
            // A failure was reported as an event; there is nobody left to return it to.
            drop(thread.join());
        }
    }
}

fn check_duty(duty: f64) -> Result<(), WorkerError> {
    match duty > 0.0 && duty <= 1.0 {
        true => Ok(()),
        false => Err(WorkerError::Duty(duty)),
    }
}

impl Control {
    /// How long to rest after work of this length.
    fn pause_after(&self, work: Duration) -> Duration {
        let duty = f64::from_bits(self.duty.load(Ordering::Relaxed));
        let rest = work.as_secs_f64() * (1.0 - duty) / duty;
        Duration::try_from_secs_f64(rest).map_or(LONGEST_REST, |rest| rest.min(LONGEST_REST))
    }

    fn lock(&self) -> MutexGuard<'_, Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wish_for(&self, wish: Wish) {
        let mut current = self.lock();
        if *current != Wish::Stop {
            *current = wish;
        }
        drop(current);
        self.changed.notify_all();
    }

    /// Rests for a while, longer while paused; whether to go on.
    fn rest(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        let mut wish = self.lock();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            wish = match *wish {
                Wish::Stop => return false,
                Wish::Pause => self
                    .changed
                    .wait(wish)
                    .unwrap_or_else(PoisonError::into_inner),
                Wish::Run if left.is_zero() => return true,
                Wish::Run => {
                    self.changed
                        .wait_timeout(wish, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }
}

fn run(
    config: &WorkerConfig,
    source: Arc<Source>,
    shard: Option<Arc<Shard>>,
    control: &Control,
    on_event: &mut (impl FnMut(DistillEvent) + Send),
) -> Result<u64, WorkerError> {
    // A pool of its own, so that a trainer takes no more of the machine than it was given.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(config.threads.get())
        .thread_name(|index| format!("distill-{index}"))
        .build()?;
    let run = Run {
        config,
        source,
        shard,
        control,
        on_event,
    };
    pool.install(|| config.device.dispatch(run))?
}

/// What the worker's thread does on its device.
struct Run<'a, F> {
    config: &'a WorkerConfig,
    source: Arc<Source>,
    shard: Option<Arc<Shard>>,
    control: &'a Control,
    on_event: &'a mut F,
}

impl<F: FnMut(DistillEvent)> OnDevice for Run<'_, F> {
    type Output = Result<u64, WorkerError>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let Run {
            config,
            source,
            shard,
            control,
            on_event,
        } = self;
        let mut gate = Gate::new(config.gate)?;
        let state = newest(&states(config));
        let served = state
            .as_ref()
            .and_then(|(state, _)| published_as(config, state));
        let served = served.unwrap_or_else(|| config.student.clone());
        let resumed = state.is_some();
        let mut trainer = match state {
            Some((checkpoint, state)) => {
                gate.resume(&state.place.gate);
                Trainer::<B>::resume(config.trainer, source, &checkpoint, state, device)?
            }
            None => {
                let student = &config.student;
                Trainer::new(config.trainer, source, shard.as_deref(), student, device)?
            }
        };
        trainer.set_parent(served.digest());
        on_event(DistillEvent::Started {
            step: trainer.steps(),
            resumed,
            heldout_loss: mean(&trainer.evaluate()),
        });
        train(config, &mut trainer, &mut gate, served, control, on_event)
    }
}

/// Steps, judges, publishes and saves until there is nothing left to do or somebody says stop.
fn train<B: TrainBackend>(
    config: &WorkerConfig,
    trainer: &mut Trainer<B>,
    gate: &mut Gate,
    mut served: Checkpoint,
    control: &Control,
    on_event: &mut impl FnMut(DistillEvent),
) -> Result<u64, WorkerError> {
    let done = |steps: u64| config.until_step.is_some_and(|until| steps >= until);
    while !done(trainer.steps()) {
        let began = Instant::now();
        on_event(DistillEvent::Step(trainer.step()?));
        let step = trainer.steps();
        if step.is_multiple_of(config.judge_every.max(1)) {
            let open = trainer.judge(gate, &served, config.judge_examples)?;
            let heldout_loss = mean(&trainer.evaluate());
            keep_best(config, trainer, heldout_loss)?;
            on_event(DistillEvent::Judged {
                step,
                heldout_loss,
                e_value: gate.e_value(),
                threshold: gate.threshold(),
                examples: gate.observed(),
            });
            if open {
                served = trainer.publish(
                    &config.dir.join("published").join(format!("{step:09}")),
                    Precision::F16,
                )?;
                trainer.set_parent(served.digest());
                gate.reset();
                save(config, trainer, gate)?;
                prune(&config.dir.join("published"));
                on_event(DistillEvent::Published {
                    step,
                    checkpoint: served.clone(),
                });
            } else {
                gate.next();
            }
        } else if step.is_multiple_of(config.save_every.max(1)) {
            save(config, trainer, gate)?;
        }
        if !control.rest(control.pause_after(began.elapsed())) {
            break;
        }
    }
    save(config, trainer, gate)?;
    Ok(trainer.steps())
}

fn states(config: &WorkerConfig) -> [PathBuf; 2] {
    ["state-a", "state-b"].map(|name| config.dir.join(name))
}

/// Writes the state over the older one of the two, so that one whole state exists at any moment.
fn save<B: TrainBackend>(
    config: &WorkerConfig,
    trainer: &Trainer<B>,
    gate: &Gate,
) -> Result<(), WorkerError> {
    let [a, b] = states(config);
    let steps = |dir: &Path| {
        let state = whole(dir).ok()?;
        Some(state.0.manifest.training.steps)
    };
    let older = if steps(&a) <= steps(&b) { a } else { b };
    Ok(trainer.save(&older, gate)?)
}

/// A state whose checkpoint verifies and whose rest belongs to it.
fn whole(dir: &Path) -> Result<(Checkpoint, Resume), TrainerError> {
    let checkpoint = Checkpoint::open(dir)?;
    let rest = Resume::read(dir, checkpoint.digest())?;
    Ok((checkpoint, rest))
}

/// The state with the most steps among those that are whole; the log says what is wrong with the others.
fn newest(dirs: &[PathBuf]) -> Option<(Checkpoint, Resume)> {
    let found = dirs
        .iter()
        .filter(|dir| dir.exists())
        .filter_map(|dir| match whole(dir) {
            Ok(state) => Some(state),
            Err(error) => {
                tracing::warn!(dir = %dir.display(), %error, "a state of training cannot be gone on with");
                None
            }
        });
    found.max_by_key(|(checkpoint, _)| checkpoint.manifest.training.steps)
}

/// Keeps the student if it is among the best so far.
fn keep_best<B: TrainBackend>(
    config: &WorkerConfig,
    trainer: &Trainer<B>,
    loss: f32,
) -> Result<(), WorkerError> {
    if config.keep_best == 0 {
        return Ok(());
    }
    let dir = config.dir.join("best");
    let mut kept: Vec<Checkpoint> = fs::read_dir(&dir)
        .into_iter()
        .flatten()
        .filter_map(|entry| Checkpoint::open(&entry.ok()?.path()).ok())
        .collect();
    let loss_of = |checkpoint: &Checkpoint| checkpoint.manifest.training.heldout_loss;
    kept.sort_by(|a, b| loss_of(a).total_cmp(&loss_of(b)));
    let full = kept.len() >= config.keep_best;
    if full
        && kept
            .get(config.keep_best - 1)
            .is_some_and(|worst| loss_of(worst) <= loss)
    {
        return Ok(());
    }
    let name = format!("{:09}", trainer.steps());
    trainer.publish(&dir.join(name), Precision::F16)?;
    for worse in kept.iter().skip(config.keep_best - 1) {
        remove(&worse.dir);
    }
    Ok(())
}

/// The published checkpoint that a state names as its parent.
fn published_as(config: &WorkerConfig, state: &Checkpoint) -> Option<Checkpoint> {
    let parent = state.manifest.parent_digest()?;
    let dirs = fs::read_dir(config.dir.join("published")).ok()?;
    let found = dirs.filter_map(|entry| Checkpoint::open(&entry.ok()?.path()).ok());
    found
        .into_iter()
        .find(|checkpoint| checkpoint.digest() == parent)
}

/// Removes all but the newest published checkpoints.
fn prune(published: &Path) {
    let Ok(entries) = fs::read_dir(published) else {
        return;
    };
    let mut dirs: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    dirs.sort_unstable();
    dirs.iter().rev().skip(KEPT).for_each(|dir| remove(dir));
}

/// Removes an old checkpoint. One that cannot be removed does no harm.
fn remove(dir: &Path) {
    if let Err(error) = fs::remove_dir_all(dir) {
        tracing::warn!(dir = %dir.display(), %error, "an old checkpoint could not be removed");
    }
}

fn mean(losses: &[f32]) -> f32 {
    losses.iter().sum::<f32>() / losses.len().max(1) as f32
}

#[cfg(test)]
mod tests;
