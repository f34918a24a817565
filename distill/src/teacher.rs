//! Train the small teacher from nothing but the corpus and the task families.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use athanor_model::{
    Checkpoint, Config, DeviceChoice, DeviceError, OnDevice, Precision, Tokenizer, TrainBackend,
    TrainingSummary, Transformer,
    checkpoint::{CheckpointError, Provenance},
    tensors::TensorsError,
    tokenizer::TokenizerError,
};
use burn::tensor::{Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use thiserror::Error;

use crate::{
    batch::{Batch, values},
    evaluation::{Evaluation, EvaluationError, EvaluationPlan, evaluate_model},
    init::fresh,
    learner::{Learner, Part},
    loss::cross_entropy,
    optimiser::Rule,
    schedule::{Decay, Schedule, ScheduleError},
    stream::Stream,
    vocabulary::{self, VocabularyError},
};

/// Tokens of the vocabulary.
const VOCABULARY: usize = 1024;
/// Batches of a step: each draws its own subset of the layers.
const PARTS: usize = 2;
/// The bound of the norm of the gradient that Adam sees.
const CLIP: f32 = 1.0;
/// Warm-up over 200 steps, then a cosine down to a twentieth.
const WARM_UP: u64 = 200;
/// The last learning rate over the highest.
const FLOOR: f64 = 0.05;
/// Weight of an answer's token beside one of text: answers are short, and they are what correctness is graded by.
const ANSWER_WEIGHT: f32 = 2.0;
/// Share of batches that run through a subset of the layers only, so that students cut from the teacher's layers speak.
const SUBSET_SHARE: f64 = 0.25;

/// How long to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// A number of steps: the same seed gives the same teacher.
    Steps(u64),
    /// A time: the schedule follows the clock, so that training ends when planned on any machine.
    Time(Duration),
}

/// How a teacher is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct TeacherConfig {
    /// Directory of the checkpoint and of `training.jsonl`.
    pub out: PathBuf,
    /// A checkpoint to go on from, with fresh optimiser state; `None` starts from random weights.
    pub from: Option<PathBuf>,
    /// When to stop.
    pub budget: Budget,
    /// Seed of weights, vocabulary and examples.
    pub seed: u64,
    /// Tokens of each of the [`PARTS`] batches of a step.
    pub part_tokens: usize,
    /// Share of a batch's tokens that is text.
    pub text_share: f64,
    /// Highest learning rate.
    pub rate: f32,
    /// Width of the network.
    pub width: usize,
    /// Number of layers.
    pub layers: usize,
    /// Time between evaluations, each of which may write a checkpoint.
    pub evaluate_every: Duration,
    /// Where it is trained.
    pub device: DeviceChoice,
}

/// One line of the training log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Tokens seen.
    pub tokens: u64,
    /// Seconds since the start.
    pub seconds: f64,
    /// Mean loss on text over the last steps, nats per token.
    pub text_loss: f32,
    /// Mean loss on answers over the last steps, nats per token.
    pub answer_loss: f32,
    /// Learning rate of the last step.
    pub rate: f32,
    /// Tokens per second since the last report.
    pub tokens_per_second: f64,
    /// Expected time left, seconds.
    pub remaining: f64,
    /// The evaluation, where one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Evaluation>,
}

/// Why a teacher could not be trained.
#[derive(Debug, Error)]
pub enum TeacherError {
    /// The vocabulary could not be learnt.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    /// The tokenizer failed.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The vocabulary lacks the token that ends a sequence.
    #[error("the vocabulary has no {}", vocabulary::END)]
    NoEnd,
    /// A checkpoint could not be opened or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The learning rate makes no schedule.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The device does not work.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The weights cannot be run, for instance because training made them infinite.
    #[error(transparent)]
    Tensors(#[from] TensorsError),
    /// The teacher could not be measured.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// The log could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// The configuration of a teacher: heads of 32, half as many for keys and values, a feed-forward of three widths.
pub fn config(width: usize, layers: usize, end: u32) -> Config {
    let heads = width / 32;
    Config {
        hidden_size: width,
        intermediate_size: 3 * width,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: heads / 2,
        head_dim: 32,
        vocab_size: VOCABULARY,
        max_position_embeddings: 256,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        tie_word_embeddings: true,
        bos_token_id: None,
        eos_token_id: Some(end).into(),
        variant: Default::default(),
    }
}

/// Trains a teacher and returns its best checkpoint. Reports go to `training.jsonl` and to `on_progress`.
pub fn train(
    plan: &TeacherConfig,
    on_progress: impl FnMut(&Progress),
) -> Result<Checkpoint, TeacherError> {
    plan.device.dispatch(Train { plan, on_progress })?
}

/// What [`train`] does on the device.
struct Train<'a, F> {
    plan: &'a TeacherConfig,
    on_progress: F,
}

impl<F: FnMut(&Progress)> OnDevice for Train<'_, F> {
    type Output = Result<Checkpoint, TeacherError>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        train_on::<B>(self.plan, &device, self.on_progress)
    }
}

fn train_on<B: TrainBackend>(
    plan: &TeacherConfig,
    device: &B::Device,
    mut on_progress: impl FnMut(&Progress),
) -> Result<Checkpoint, TeacherError> {
    let mut log = Log::create(&plan.out)?;
    let from = plan.from.as_deref().map(Checkpoint::open).transpose()?;
    let tokenizer_json = match &from {
        Some(checkpoint) => checkpoint.tokenizer_json()?,
        None => vocabulary::learn(VOCABULARY, plan.seed)?,
    };
    let tokenizer = Tokenizer::from_json(&tokenizer_json)?;
    let end = tokenizer
        .token_id(vocabulary::END)
        .ok_or(TeacherError::NoEnd)?;
    let stream = Stream::training(tokenizer.clone(), end)?;
    let held_out = Stream::held_out(tokenizer, end)?;
    let (config, tensors) = match &from {
        Some(checkpoint) => (checkpoint.config.clone(), checkpoint.tensors()?),
        None => {
            let config = config(plan.width, plan.layers, end);
            let tensors = fresh(&config, plan.seed);
            (config, tensors)
        }
    };
    let model = Transformer::<B>::from_tensors(&config, &tensors, device)?;
    let mut teacher = Learner::new(model, Rule::Muon, CLIP);
    let before = from
        .as_ref()
        .map(|checkpoint| checkpoint.manifest.training.clone())
        .unwrap_or_default();
    let parent = from.as_ref().map(Checkpoint::digest);
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed ^ 0x7465_6163_6865_7200 ^ before.steps);

    let schedule = Schedule {
        rate: plan.rate.into(),
        warm_up: WARM_UP,
        decay: Decay::Cosine { floor: FLOOR },
    };
    schedule.check()?;
    let start = Instant::now();
    let (mut step, mut tokens) = (0, 0);
    let mut best: Option<(f32, Checkpoint)> = None;
    let (mut window, mut reported, mut evaluated) = (Window::default(), start, start);
    loop {
        let done = match plan.budget {
            Budget::Steps(steps) => step as f64 / steps.max(1) as f64,
            Budget::Time(time) => start.elapsed().as_secs_f64() / time.as_secs_f64().max(1e-9),
        };
        let finished = done >= 1.0;
        if !finished {
            let rate = schedule.at(step, done);
            let (loss, seen) = train_step(plan, &stream, &mut teacher, &config, rate, &mut rng)?;
            step += 1;
            tokens += seen;
            window.add(loss, seen, rate);
        }
        let now = Instant::now();
        let evaluation_due = finished || now - evaluated >= plan.evaluate_every;
        if !evaluation_due && now - reported < Duration::from_secs(10) {
            continue;
        }
        let evaluation = match evaluation_due {
            true => Some(evaluate_model(
                &teacher.decoder(),
                &held_out,
                &plan.evaluation(finished),
            )?),
            false => None,
        };
        let progress = window.report(step, tokens, now - start, now - reported, done, evaluation);
        log.write(&progress)?;
        on_progress(&progress);
        (window, reported) = (Window::default(), Instant::now());
        if let Some(found) = progress.evaluation {
            evaluated = reported;
            let score = found.text_loss + found.answer_loss;
            if best.as_ref().is_none_or(|(before, _)| score < *before) {
                let (steps, tokens) = (before.steps + step, before.tokens + tokens);
                let training = TrainingSummary {
                    steps,
                    tokens,
                    heldout_loss: found.text_loss,
                };
                let provenance = Provenance { parent, training };
                let tensors = teacher.tensors();
                let checkpoint = Checkpoint::write(
                    &plan.out,
                    &config,
                    &tensors,
                    &tokenizer_json,
                    &provenance,
                    Precision::F16,
                )?;
                best = Some((score, checkpoint));
            }
        }
        if finished && let Some((_, checkpoint)) = best.take() {
            return Ok(checkpoint);
        }
    }
}

impl TeacherConfig {
    /// A small sample while training, a larger one at the end.
    fn evaluation(&self, finished: bool) -> EvaluationPlan {
        let (passages, items) = if finished { (400, 100) } else { (150, 15) };
        EvaluationPlan {
            seed: self.seed ^ 0xe7a1,
            passages,
            items,
            temperature: 0.8,
        }
    }
}

/// Losses and counts of a step: text, answers.
#[derive(Clone, Copy, Default)]
struct Losses {
    text: (f64, u64),
    answers: (f64, u64),
}

impl Losses {
    /// Adds one loss per target, each marked as an answer or not.
    fn add(&mut self, losses: &[f32], targets: &[(u32, bool)]) {
        for (&loss, &(_, answer)) in losses.iter().zip(targets) {
            let to = if answer {
                &mut self.answers
            } else {
                &mut self.text
            };
            *to = (to.0 + f64::from(loss), to.1 + 1);
        }
    }
}

fn train_step<B: TrainBackend>(
    plan: &TeacherConfig,
    stream: &Stream,
    teacher: &mut Learner<B>,
    config: &Config,
    rate: f64,
    rng: &mut ChaCha8Rng,
) -> Result<(Losses, u64), TeacherError> {
    let mut parts = Vec::with_capacity(PARTS);
    let mut targets: Vec<Vec<(u32, bool)>> = Vec::with_capacity(PARTS);
    for _ in 0..PARTS {
        let (mut batch, mut target) = (Batch::default(), Vec::new());
        let text_tokens = (plan.part_tokens as f64 * plan.text_share) as usize;
        while batch.tokens() < plan.part_tokens {
            let example = if batch.tokens() < text_tokens {
                stream.text(rng)
            } else {
                stream.any_item(rng)?
            };
            let answer = example.family.is_some();
            target.extend(example.targets().map(|token| (token, answer)));
            batch.push(&example.tokens, example.counted());
        }
        let layers = subset(config.num_hidden_layers, rng);
        parts.push(Part { batch, layers });
        targets.push(target);
    }
    let weight = |&(_, answer): &(u32, bool)| if answer { ANSWER_WEIGHT } else { 1.0 };
    let total: f32 = targets.iter().flatten().map(weight).sum();
    let mut losses = Losses::default();
    teacher.update(&parts, rate, |index, logits| {
        let targets = &targets[index];
        let log_q = B::log_probabilities(logits);
        let loss = cross_entropy(log_q, targets.iter().map(|(token, _)| *token));
        // What a subset of the layers loses says little about the whole.
        if parts[index].layers.is_none() {
            losses.add(&values(loss.clone().inner()), targets);
        }
        let weights: Vec<f32> = targets
            .iter()
            .map(|target| weight(target) / total)
            .collect();
        let data = TensorData::new(weights, [targets.len()]);
        let weights = Tensor::<B, 1>::from_data(data, &loss.device());
        (loss * weights).sum()
    });
    let tokens = parts.iter().map(|part| part.batch.tokens() as u64).sum();
    Ok((losses, tokens))
}

/// Mostly all layers, sometimes the subset that a student of some size is cut from.
fn subset(layers: usize, rng: &mut impl Rng) -> Option<Vec<usize>> {
    if layers > 1 && rng.random_bool(SUBSET_SHARE) {
        // The larger students twice as often as the next smaller ones.
        let mut keep = layers - 1;
        while keep > 1 && rng.random_bool(0.5) {
            keep -= 1;
        }
        return Some(crate::init::layers(layers, keep));
    }
    None
}

/// Sums since the last report.
#[derive(Default)]
struct Window {
    losses: Losses,
    tokens: u64,
    rate: f32,
}

impl Window {
    fn add(&mut self, loss: Losses, tokens: u64, rate: f64) {
        self.losses.text = (
            self.losses.text.0 + loss.text.0,
            self.losses.text.1 + loss.text.1,
        );
        self.losses.answers = (
            self.losses.answers.0 + loss.answers.0,
            self.losses.answers.1 + loss.answers.1,
        );
        self.tokens += tokens;
        self.rate = rate as f32;
    }

    fn report(
        &self,
        step: u64,
        tokens: u64,
        total: Duration,
        since: Duration,
        done: f64,
        evaluation: Option<Evaluation>,
    ) -> Progress {
        let mean = |(sum, count): (f64, u64)| (sum / count.max(1) as f64) as f32;
        let seconds = total.as_secs_f64();
        Progress {
            step,
            tokens,
            seconds,
            text_loss: mean(self.losses.text),
            answer_loss: mean(self.losses.answers),
            rate: self.rate,
            tokens_per_second: self.tokens as f64 / since.as_secs_f64().max(1e-9),
            remaining: (seconds / done.max(1e-9) * (1.0 - done)).max(0.0),
            evaluation,
        }
    }
}

/// The JSON-lines log beside the checkpoint.
struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    fn create(dir: &Path) -> Result<Log, TeacherError> {
        let path = dir.join("training.jsonl");
        let file = std::fs::create_dir_all(dir).and_then(|()| File::create(&path));
        file.map(|file| Log {
            path: path.clone(),
            file,
        })
        .map_err(|source| TeacherError::Log { path, source })
    }

    fn write(&mut self, progress: &Progress) -> Result<(), TeacherError> {
        let line = serde_json::to_string(progress).map_err(std::io::Error::from);
        line.and_then(|line| writeln!(self.file, "{line}"))
            .map_err(|source| TeacherError::Log {
                path: self.path.clone(),
                source,
            })
    }
}
