//! The trainer beside the server: it makes room for requests, and offers what its gate lets through.
//!
//! Serving comes first. While a request is in flight the trainer starts no step; between requests it works for its share of
//! the time, so that an answer waits at most for the step under way.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use athanor_distill::{DistillEvent, Worker, WorkerConfig, worker::WorkerError};
use athanor_model::Checkpoint;
use athanor_node::Feed;
use athanor_spec::{Digest, Hotkey, telemetry::Event};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    Backend, DistillSettings, RunError,
    canary::Trial,
    publish::{Candidate, Retrain, Trained},
    rollback,
};

/// How often the trainer looks whether requests are in flight. A training step takes about as long.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Events of the trainer that may wait; it makes a few per second.
const EVENTS: usize = 256;
/// Steps between two progress events.
const TELL_EVERY: u64 = 10;

/// How training goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Optimiser steps since the first initialisation.
    pub step: u64,
    /// Loss of the last step, nats per token.
    pub loss: Option<f32>,
    /// Mean loss on held-out items when they were last measured, nats per token.
    pub heldout_loss: Option<f32>,
    /// Evidence that the student is better than what was published last, and how much is needed to publish it.
    pub e_value: Option<f64>,
    /// See `e_value`.
    pub threshold: Option<f64>,
    /// The last published checkpoint of this process.
    pub published: Option<Digest>,
    /// Whether training rests because requests are in flight.
    pub paused: bool,
    /// Whether training was begun anew by a rollback, and how often.
    pub rollbacks: u32,
}

/// A running trainer and what it says.
pub(crate) struct Distillery {
    // Interfaces.
    worker: Worker,
    audience: Audience,
    // Configuration.
    settings: DistillSettings,
    config: WorkerConfig,
    trial: Arc<Trial>,
    // Messaging.
    events: mpsc::Receiver<DistillEvent>,
    retrain: mpsc::Receiver<Retrain>,
    duty: watch::Receiver<f64>,
    // State.
    lineage: u32,
}

/// What the trainer's events are told to.
pub(crate) struct Audience {
    pub(crate) candidates: mpsc::Sender<Candidate>,
    pub(crate) backend: Backend,
    pub(crate) feed: Feed,
    pub(crate) miner: Hotkey,
    pub(crate) progress: Arc<Mutex<Progress>>,
}

impl Distillery {
    /// Starts training, or goes on with what lies in the worker's directory.
    pub(crate) fn start(
        settings: DistillSettings,
        config: WorkerConfig,
        trial: Trial,
        audience: Audience,
        retrain: mpsc::Receiver<Retrain>,
        duty: watch::Receiver<f64>,
    ) -> Result<Self, WorkerError> {
        let (worker, events) = spawn(&settings, config.clone())?;
        Ok(Self {
            worker,
            audience,
            settings,
            config,
            trial: Arc::new(trial),
            events,
            retrain,
            duty,
            lineage: 0,
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
                    let now = self.audience.backend.in_flight() > 0;
                    match (busy, now) {
                        (false, true) => self.worker.pause(),
                        (true, false) => self.worker.resume(),
                        _ => {}
                    }
                    if busy != now {
                        self.audience.note(|progress| progress.paused = now);
                    }
                    busy = now;
                }
                Ok(()) = self.duty.changed() => self.set_duty(),
                Some(order) = self.retrain.recv() => {
                    self = self.begin_anew(order).await?;
                    busy = false;
                }
                event = self.events.recv() => match event {
                    Some(DistillEvent::Failed { error }) => break Some(error),
                    Some(event) => self.on_event(event),
                    None => break None,
                },
            }
        };
        let Self { worker, events, .. } = self;
        let ended = end(worker, events).await;
        match failure {
            Some(error) => Err(RunError::Distill { error }),
            None => ended,
        }
    }

    fn set_duty(&mut self) {
        let duty = *self.duty.borrow_and_update();
        match self.worker.set_duty(duty) {
            Ok(()) => self.config.duty = duty,
            Err(error) => tracing::error!(%error, "training keeps its share of the time"),
        }
    }

    /// Ends the run, sets what it made aside, and trains on from another checkpoint.
    async fn begin_anew(self, order: Retrain) -> Result<Self, RunError> {
        let Self {
            worker,
            events,
            settings,
            mut config,
            trial,
            audience,
            retrain,
            duty,
            ..
        } = self;
        end(worker, events).await?;
        config.student = order.student;
        let dir = config.dir.clone();
        let begun = tokio::task::spawn_blocking(move || {
            rollback::set_training_aside(&dir).map_err(|source| WorkerError::Directory {
                path: dir.clone(),
                source,
            })?;
            let (worker, events) = spawn(&settings, config.clone())?;
            Ok((worker, events, settings, config))
        });
        let (worker, events, settings, config) = match begun.await {
            Ok(Ok(begun)) => begun,
            Ok(Err(error)) => return Err(failed(error)),
            Err(source) => return Err(panicked(source)),
        };
        tracing::info!("training begins anew, from the checkpoint that was rolled back to");
        audience.note(|progress| {
            *progress = Progress {
                rollbacks: order.lineage,
                ..Progress::default()
            };
        });
        Ok(Self {
            worker,
            audience,
            settings,
            config,
            trial,
            events,
            retrain,
            duty,
            lineage: order.lineage,
        })
    }

    fn on_event(&self, event: DistillEvent) {
        let audience = &self.audience;
        match event {
            DistillEvent::Started {
                step,
                resumed,
                heldout_loss,
            } => {
                tracing::info!(step, resumed, heldout_loss, "distilling");
                audience.note(|progress| {
                    progress.step = step;
                    progress.heldout_loss = Some(heldout_loss);
                });
            }
            DistillEvent::Step(report) => {
                audience.note(|progress| {
                    progress.step = report.step;
                    progress.loss = Some(report.loss);
                });
                if report.step.is_multiple_of(TELL_EVERY) {
                    audience.feed.send(Event::Distilled {
                        miner: audience.miner,
                        step: report.step,
                        loss: report.loss.into(),
                        heldout: None,
                    });
                }
            }
            DistillEvent::Judged {
                step,
                heldout_loss,
                e_value,
                threshold,
                ..
            } => {
                tracing::debug!(step, heldout_loss, e_value, threshold, "judged");
                audience.note(|progress| {
                    progress.heldout_loss = Some(heldout_loss);
                    progress.e_value = Some(e_value);
                    progress.threshold = Some(threshold);
                });
            }
            DistillEvent::Published { step, checkpoint } => self.offer(step, checkpoint),
            DistillEvent::Stopped { step } => tracing::info!(step, "distilling ended"),
            DistillEvent::Failed { error } => tracing::error!(%error, "distilling failed"),
        }
    }

    fn offer(&self, step: u64, checkpoint: Checkpoint) {
        let published = Digest(checkpoint.digest());
        self.audience
            .note(|progress| progress.published = Some(published));
        let candidate = Candidate {
            dir: checkpoint.dir,
            trained: Some(Trained {
                step,
                trial: self.trial.clone(),
                lineage: self.lineage,
            }),
        };
        if self.audience.candidates.try_send(candidate).is_err() {
            tracing::warn!(
                step,
                "a new checkpoint is skipped: earlier ones still wait to be verified"
            );
        }
    }
}

impl Audience {
    fn note(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn spawn(
    settings: &DistillSettings,
    config: WorkerConfig,
) -> Result<(Worker, mpsc::Receiver<DistillEvent>), WorkerError> {
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
    Ok((worker, events))
}

/// Ends the thread, which waits for the step in progress and saves its state.
async fn end(worker: Worker, events: mpsc::Receiver<DistillEvent>) -> Result<(), RunError> {
    // The receiver goes first: the thread must not wait for it.
    drop(events);
    match tokio::task::spawn_blocking(move || worker.stop()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(failed(error)),
        Err(source) => Err(panicked(source)),
    }
}

fn failed(error: WorkerError) -> RunError {
    RunError::Distill {
        error: error.to_string(),
    }
}

fn panicked(source: tokio::task::JoinError) -> RunError {
    RunError::Panicked {
        part: "trainer",
        source,
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
