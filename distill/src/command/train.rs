//! `athanor-distill train`: distil until stopped.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use athanor_distill::{
    WorkerConfig, bundled,
    init::{StudentPlan, layers, narrow_student, scratch},
    prune::Widths,
    schedule::{Decay, Schedule},
    shard::Shard,
    source::Source,
    spawn,
    trainer::{Objective, TrainerConfig, TrainerError, Vocabulary},
};
use athanor_model::{Checkpoint, DeviceChoice, Precision, TrainingSummary, checkpoint::Provenance};

use super::{CommandError, log::Log, open};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory of states, checkpoints and log.jsonl; an interrupted run goes on from it, bit for bit on the CPU.
    #[arg(long)]
    out: PathBuf,
    /// Directory of the teacher; without it, and without --shard, the bundled one, unpacked to OUT/teacher.
    #[arg(long)]
    teacher: Option<PathBuf>,
    /// File that `record` wrote, to learn from nothing else; may be given several times. Without it, fresh examples keep
    /// coming from the teacher; without --teacher, the record is all that is known of it.
    #[arg(long)]
    shard: Vec<PathBuf>,
    #[command(flatten)]
    student: StudentArguments,
    /// Seed of the student, of the examples and of their order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    objective: ObjectiveArguments,
    #[command(flatten)]
    descent: DescentArguments,
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
    /// Steps between two candidates for publication.
    #[arg(long, default_value_t = 60)]
    judge_every: u64,
    /// Steps between two states on disk: what a kill may cost.
    #[arg(long, default_value_t = 30)]
    save_every: u64,
    /// Candidates with the lowest held-out loss to keep in OUT/best.
    #[arg(long, default_value_t = 3)]
    keep_best: usize,
    /// Print events as JSON lines.
    #[arg(long)]
    json: bool,
}

/// What the student starts from.
#[derive(clap::Args)]
struct StudentArguments {
    /// Directory of the student to start from; without it one is cut out of the teacher.
    #[arg(long, conflicts_with_all = ["layers", "noise", "width", "feed_forward", "scratch"])]
    student: Option<PathBuf>,
    /// Start from random weights in the teacher's shape.
    #[arg(long, conflicts_with = "noise")]
    scratch: bool,
    /// Layers of a student that is cut out of the teacher, or made from scratch.
    #[arg(long, default_value_t = 2)]
    layers: usize,
    /// Channels of such a student; without it the teacher's.
    #[arg(long)]
    width: Option<usize>,
    /// Feed-forward units of such a student; without it the teacher's.
    #[arg(long)]
    feed_forward: Option<usize>,
    /// Noise that sets such students apart, as a share of each tensor's own deviation.
    #[arg(long, default_value_t = 0.15)]
    noise: f32,
}

/// What is minimised.
#[derive(clap::Args)]
struct ObjectiveArguments {
    /// Weight of the true next token beside the teacher's distribution.
    #[arg(long, default_value_t = 0.1)]
    hard_share: f32,
    /// Temperature of the forward KL.
    #[arg(long, default_value_t = 1.0)]
    temperature: f32,
    /// Take the forward KL over the whole vocabulary, not over the teacher's likeliest tokens.
    #[arg(long)]
    full_vocabulary: bool,
    /// Every so many steps learn from the student's own rollouts, 0 for never; 4 where the teacher is there to judge them.
    #[arg(long)]
    rollout_every: Option<u64>,
    /// Skew of the reverse KL on rollouts.
    #[arg(long, default_value_t = 0.1)]
    skew: f32,
}

/// How it is minimised.
#[derive(clap::Args)]
struct DescentArguments {
    /// Highest learning rate.
    #[arg(long, default_value_t = 3e-4)]
    rate: f64,
    /// Steps until it is reached.
    #[arg(long, default_value_t = 20)]
    warm_up: u64,
    /// What the learning rate does then; cosine and wsd need --steps.
    #[arg(long, value_enum, default_value_t = Shape::Constant)]
    schedule: Shape,
    /// Last learning rate over the highest, of cosine and wsd.
    #[arg(long, default_value_t = 0.1)]
    floor: f64,
    /// Part of the run in which wsd goes down.
    #[arg(long, default_value_t = 0.2)]
    decay_share: f64,
    /// Tokens of a batch.
    #[arg(long, default_value_t = 384)]
    tokens: usize,
    /// Batches whose gradients are added up for one step.
    #[arg(long, default_value_t = NonZeroUsize::MIN)]
    accumulate: NonZeroUsize,
    /// Upper bound of the gradient's norm.
    #[arg(long, default_value_t = 1.0)]
    clip: f32,
}

/// Shapes of a schedule.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Shape {
    /// Constant after warm-up.
    Constant,
    /// Half a cosine down to the floor.
    Cosine,
    /// Stable, then linearly down to the floor.
    Wsd,
}

impl Arguments {
    /// Whether a record is all that is known of the teacher.
    fn alone(&self) -> bool {
        self.teacher.is_none() && !self.shard.is_empty()
    }

    fn trainer(&self) -> TrainerConfig {
        let small = TrainerConfig::small(self.seed);
        let (descent, objective) = (&self.descent, &self.objective);
        let floor = descent.floor;
        TrainerConfig {
            schedule: Schedule {
                rate: descent.rate,
                warm_up: descent.warm_up,
                decay: match descent.schedule {
                    Shape::Constant => Decay::Constant,
                    Shape::Cosine => Decay::Cosine { floor },
                    Shape::Wsd => Decay::Wsd {
                        share: descent.decay_share,
                        floor,
                    },
                },
            },
            planned_steps: self.steps,
            clip: descent.clip,
            step_tokens: descent.tokens,
            accumulate: descent.accumulate,
            objective: Objective {
                hard_share: objective.hard_share,
                temperature: objective.temperature,
                vocabulary: match objective.full_vocabulary {
                    true => Vocabulary::Full,
                    false => Vocabulary::Top,
                },
                rollout_every: objective.rollout_every.unwrap_or(match self.alone() {
                    true => 0,
                    false => small.objective.rollout_every,
                }),
                skew: objective.skew,
                ..small.objective
            },
            refresh_every: match self.shard.is_empty() {
                true => small.refresh_every,
                false => 0,
            },
            ..small
        }
    }
}

pub(crate) fn run(arguments: Arguments) -> Result<(), CommandError> {
    let minutes = arguments.minutes.unwrap_or(0.0);
    if !(0.0..1e6).contains(&minutes) {
        let value = minutes.to_string();
        return Err(CommandError::Flag {
            flag: "minutes",
            value,
            expected: "give a positive number of minutes",
        });
    }
    let trainer = arguments.trainer();
    trainer.check().map_err(TrainerError::from)?;
    let shard = read_shards(&arguments.shard)?;
    let student = arguments.student.student.as_deref().map(open).transpose()?;
    let (source, shard, start) = match shard {
        Some(shard) if arguments.teacher.is_none() => {
            let student = student.ok_or(CommandError::NoStudent)?;
            let (source, shard) = Source::recorded(shard, &student)?;
            (source, Some(shard), student)
        }
        shard => {
            let teacher = match &arguments.teacher {
                Some(dir) => open(dir)?,
                None => bundled::write_teacher(&arguments.out.join("teacher"))?,
            };
            let start = match student {
                Some(student) => student,
                None => cut(&arguments, &teacher)?,
            };
            (Source::open(&teacher)?, shard, start)
        }
    };
    let (source, shard) = (Arc::new(source), shard.map(Arc::new));
    let mut log = Log::open(&arguments.out, arguments.steps, arguments.json)?;
    let small = WorkerConfig::small(arguments.out, start, arguments.seed);
    let config = WorkerConfig {
        trainer,
        device: arguments.device,
        threads: arguments
            .threads
            .or_else(|| std::thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN),
        duty: arguments.duty,
        judge_every: arguments.judge_every,
        save_every: arguments.save_every,
        keep_best: arguments.keep_best,
        until_step: arguments.steps,
        ..small
    };
    // A lost reader of the events does not stop a training run.
    let worker = spawn(config, source, shard, move |event| drop(log.tell(&event)))?;
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

/// Reads the shards as one; `None` of none.
fn read_shards(paths: &[PathBuf]) -> Result<Option<Shard>, CommandError> {
    let mut all: Option<Shard> = None;
    for path in paths {
        let shard = read_shard(path)?;
        match &mut all {
            None => all = Some(shard),
            Some(all) if all.like(&shard) => all.examples.extend(shard.examples),
            Some(_) => {
                return Err(CommandError::OtherShard {
                    path: path.clone(),
                    first: paths[0].clone(),
                });
            }
        }
    }
    Ok(all)
}

fn read_shard(path: &Path) -> Result<Shard, CommandError> {
    let bytes = std::fs::read(path).map_err(|source| CommandError::Read {
        path: path.to_owned(),
        source,
    })?;
    Shard::from_bytes(&bytes).map_err(|source| CommandError::Shard {
        path: path.to_owned(),
        source,
    })
}

/// Makes a student and writes it to OUT/start, the same one for the same arguments.
fn cut(arguments: &Arguments, teacher: &Checkpoint) -> Result<Checkpoint, CommandError> {
    let wanted = &arguments.student;
    let widths = Widths {
        hidden: wanted.width,
        feed_forward: wanted.feed_forward,
    };
    let (config, tensors) = match wanted.scratch {
        true => scratch(&teacher.config, wanted.layers, widths, arguments.seed)?,
        false => {
            let plan = StudentPlan {
                layers: layers(teacher.config.num_hidden_layers, wanted.layers),
                seed: arguments.seed,
                noise: wanted.noise,
            };
            narrow_student(teacher, &plan, widths)?
        }
    };
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
