//! The trainer beside the server: it makes room for requests, and offers what its gate lets through.

use std::{path::PathBuf, sync::Arc, time::Duration};

use athanor_distill::{DistillEvent, Worker, WorkerConfig, worker::WorkerError};
use athanor_model::Checkpoint;
use athanor_node::Feed;
use athanor_spec::{Hotkey, telemetry::Event};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{Backend, DistillSettings, RunError, canary::Trial, publish::Candidate};

/// How often the trainer looks whether requests are in flight. A training step takes about as long.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Events of the trainer that may wait; it makes a few per second.
const EVENTS: usize = 256;
/// Steps between two progress events.
const TELL_EVERY: u64 = 10;

/// A running trainer and what it says.
pub(crate) struct Distillery {
    worker: Worker,
    events: mpsc::Receiver<DistillEvent>,
    trial: Arc<Trial>,
    candidates: mpsc::Sender<Candidate>,
    backend: Backend,
    feed: Feed,
    miner: Hotkey,
}

/// What the trainer's events are told to.
pub(crate) struct Audience {
    pub(crate) candidates: mpsc::Sender<Candidate>,
    pub(crate) backend: Backend,
    pub(crate) feed: Feed,
    pub(crate) miner: Hotkey,
}

impl Distillery {
    /// Starts training, or goes on with what lies in the worker's directory.
    pub(crate) fn start(
        settings: &DistillSettings,
        config: WorkerConfig,
        trial: Trial,
        audience: Audience,
    ) -> Result<Self, WorkerError> {
        let (sender, events) = mpsc::channel(EVENTS);
        let worker = athanor_distill::spawn(
            config,
            settings.source.clone(),
            settings.shard.clone(),
            move |event| {
                // Progress may be lost when nobody keeps up, a checkpoint may not.
                let lost = match event {
                    DistillEvent::Step(_) => sender.try_send(event).is_err(),
                    event => sender.blocking_send(event).is_err(),
                };
                if lost {
                    tracing::debug!("an event of the trainer found no listener");
                }
            },
        )?;
        let Audience {
            candidates,
            backend,
            feed,
            miner,
        } = audience;
        Ok(Self {
            worker,
            events,
            trial: Arc::new(trial),
            candidates,
            backend,
            feed,
            miner,
        })
    }

    /// Runs until told to stop, or until the trainer fails.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), RunError> {
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut busy = false;
        let failure = loop {
            tokio::select! {
                () = stop.cancelled() => break None,
                _ = look.tick() => {
                    let now = self.backend.in_flight() > 0;
                    match (busy, now) {
                        (false, true) => self.worker.pause(),
                        (true, false) => self.worker.resume(),
                        _ => {}
                    }
                    busy = now;
                }
                event = self.events.recv() => match event {
                    Some(DistillEvent::Failed { error }) => break Some(error),
                    Some(event) => self.on_event(event),
                    None => break None,
                },
            }
        };
        // Ending the thread waits for the step in progress. The receiver goes first: the thread must not wait for it.
        let Self { worker, events, .. } = self;
        drop(events);
        let ended = tokio::task::spawn_blocking(move || worker.stop()).await;
        match (failure, ended) {
            (Some(error), _) => Err(RunError::Distill { error }),
            (None, Ok(Ok(_))) => Ok(()),
            (None, Ok(Err(error))) => Err(RunError::Distill {
                error: error.to_string(),
            }),
            (None, Err(source)) => Err(RunError::Panicked {
                part: "trainer",
                source,
            }),
        }
    }

    fn on_event(&self, event: DistillEvent) {
        match event {
            DistillEvent::Started {
                step,
                resumed,
                heldout_loss,
            } => tracing::info!(step, resumed, heldout_loss, "distilling"),
            DistillEvent::Step(report) if report.step.is_multiple_of(TELL_EVERY) => {
                self.feed.send(Event::Distilled {
                    miner: self.miner,
                    step: report.step,
                    loss: report.loss.into(),
                    heldout: None,
                });
            }
            DistillEvent::Step(_) => {}
            DistillEvent::Judged {
                step,
                heldout_loss,
                e_value,
                threshold,
                ..
            } => tracing::debug!(step, heldout_loss, e_value, threshold, "judged"),
            DistillEvent::Published { step, checkpoint } => {
                let candidate = Candidate {
                    dir: checkpoint.dir,
                    trained: Some((step, self.trial.clone())),
                };
                if self.candidates.try_send(candidate).is_err() {
                    tracing::warn!(
                        step,
                        "a new checkpoint is skipped: earlier ones still wait to be verified"
                    );
                }
            }
            DistillEvent::Stopped { step } => tracing::info!(step, "distilling ended"),
            DistillEvent::Failed { error } => tracing::error!(%error, "distilling failed"),
        }
    }
}

/// The worker's configuration for a miner's settings.
pub(crate) fn worker_config(
    settings: &DistillSettings,
    dir: PathBuf,
    student: Checkpoint,
) -> WorkerConfig {
    let mut config = WorkerConfig::small(dir, student, settings.seed);
    config.device = settings.device;
    config.duty = settings.duty;
    config.judge_every = settings.judge_every;
    config
}
