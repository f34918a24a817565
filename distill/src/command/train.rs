//! `athanor-distill train`: distil until stopped.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};

use athanor_distill::{
    DistillEvent, WorkerConfig, bundled,
    init::{StudentPlan, layers, student},
    source::Source,
    spawn,
    trainer::TrainerConfig,
};
use athanor_model::{Checkpoint, DeviceChoice, Precision, TrainingSummary, checkpoint::Provenance};
use serde_json::json;

use super::{CommandError, print};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory of states and published checkpoints; an interrupted run goes on from it.
    #[arg(long)]
    out: PathBuf,
    /// Directory of the teacher; without it the bundled one, unpacked to OUT/teacher.
    #[arg(long)]
    teacher: Option<PathBuf>,
    /// Directory of the student to start from; without it one is cut out of the teacher.
    #[arg(long, conflicts_with_all = ["layers", "noise"])]
    student: Option<PathBuf>,
    /// Layers of a student that is cut out of the teacher.
    #[arg(long, default_value_t = 2)]
    layers: usize,
    /// Noise that sets such students apart, as a share of each tensor's own deviation.
    #[arg(long, default_value_t = 0.15)]
    noise: f32,
    /// Seed of the noise, of the examples and of their order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Learning rate.
    #[arg(long, default_value_t = 3e-4)]
    rate: f32,
    /// Where to train: cpu, cuda:N, or auto for the first card that works.
    #[arg(long, default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
    /// Threads of a step on the CPU; without it, one per core.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Share of the time, in (0, 1].
    #[arg(long, default_value_t = 1.0)]
    duty: f64,
    /// Stop at this step count; without it, train until stopped.
    #[arg(long)]
    steps: Option<u64>,
    /// Stop after so many minutes.
    #[arg(long)]
    minutes: Option<f64>,
    /// Print events as JSON lines.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), CommandError> {
    let open = |dir: &PathBuf| {
        Checkpoint::open(dir).map_err(|source| CommandError::Open {
            dir: dir.clone(),
            source,
        })
    };
    let minutes = arguments.minutes.unwrap_or(0.0);
    if !(0.0..1e6).contains(&minutes) {
        let value = minutes.to_string();
        return Err(CommandError::Flag {
            flag: "minutes",
            value,
            expected: "give a positive number of minutes",
        });
    }
    let teacher = match &arguments.teacher {
        Some(dir) => open(dir)?,
        None => bundled::write_teacher(&arguments.out.join("teacher"))?,
    };
    let start = match &arguments.student {
        Some(dir) => open(dir)?,
        None => cut(&arguments, &teacher)?,
    };
    let source = Arc::new(Source::open(&teacher)?);
    let small = WorkerConfig::small(arguments.out, start, arguments.seed);
    let config = WorkerConfig {
        trainer: TrainerConfig {
            rate: arguments.rate,
            ..small.trainer
        },
        device: arguments.device,
        threads: arguments
            .threads
            .or_else(|| std::thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN),
        duty: arguments.duty,
        until_step: arguments.steps,
        ..small
    };
    let json = arguments.json;
    // A lost reader of the events does not stop a training run.
    let worker = spawn(config, source, None, move |event| {
        drop(report(&event, json))
    })?;
    match arguments.minutes {
        Some(_) => {
            std::thread::sleep(Duration::from_secs_f64(minutes * 60.0));
            worker.stop()?;
        }
        None => {
            worker.wait()?;
        }
    }
    Ok(())
}

/// Cuts a student out of the teacher and writes it to OUT/start, the same one for the same arguments.
fn cut(arguments: &Arguments, teacher: &Checkpoint) -> Result<Checkpoint, CommandError> {
    let chosen = layers(teacher.config.num_hidden_layers, arguments.layers);
    let plan = StudentPlan {
        layers: chosen,
        seed: arguments.seed,
        noise: arguments.noise,
    };
    let (config, tensors) = student(teacher, &plan)?;
    let provenance = Provenance {
        parent: Some(teacher.digest()),
        training: TrainingSummary::default(),
    };
    let dir = arguments.out.join("start");
    Ok(Checkpoint::write(
        &dir,
        &config,
        &tensors,
        &teacher.tokenizer_json()?,
        &provenance,
        Precision::F16,
    )?)
}

fn report(event: &DistillEvent, as_json: bool) -> std::io::Result<()> {
    let object = match event {
        DistillEvent::Started {
            step,
            resumed,
            heldout_loss,
        } => {
            json!({"event": "started", "step": step, "resumed": resumed, "heldout_loss": heldout_loss})
        }
        DistillEvent::Step(report) => {
            // Every step is too much for a person; a program gets them all.
            if !as_json && !report.step.is_multiple_of(10) {
                return Ok(());
            }
            json!({"event": "step", "step": report.step, "loss": report.loss, "tokens": report.tokens, "rollout": report.rollout})
        }
        DistillEvent::Judged {
            step,
            heldout_loss,
            e_value,
            threshold,
            examples,
        } => {
            json!({"event": "judged", "step": step, "heldout_loss": heldout_loss, "e_value": e_value, "threshold": threshold, "examples": examples})
        }
        DistillEvent::Published { step, checkpoint } => {
            json!({"event": "published", "step": step, "dir": checkpoint.dir})
        }
        DistillEvent::Stopped { step } => json!({"event": "stopped", "step": step}),
        DistillEvent::Failed { error } => json!({"event": "failed", "error": error}),
    };
    if as_json {
        return print(object);
    }
    let fields = object
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "event");
    let fields: Vec<String> = fields
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    print(format_args!(
        "{:<9}  {}",
        object["event"].as_str().unwrap_or_default(),
        fields.join("  ")
    ))
}
