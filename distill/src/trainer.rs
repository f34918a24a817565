//! Distil a teacher into a student, one short step at a time.

use std::{path::Path, sync::Arc};

use athanor_model::{
    Checkpoint, Config, Decoding, ModelBackend, Precision, TrainBackend, TrainingSummary,
    Transformer,
    checkpoint::{CheckpointError, Provenance},
    tensors::TensorsError,
    tokenizer::TokenizerError,
};
use burn::tensor::Tensor;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::{
    batch::{Batch, packed, values},
    gate::Gate,
    learner::{Learner, Part},
    loss::{forward_kl, skewed_reverse_kl},
    optimiser::Rule,
    recorder::{RecordError, Recorder, continued},
    shard::{Recorded, Shard, ShardPlan},
    source::Source,
};

/// The part of the examples that one refresh replaces is one in so many: a short step stays short, and at the pace of
/// [`TrainerConfig::small`] an example is seen about five times before it goes.
const REFRESHED: usize = 32;

/// How a student is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainerConfig {
    /// Seed of the order of examples and of the student's own rollouts.
    pub seed: u64,
    /// Learning rate after warm-up; constant, since distillation has no planned end.
    pub rate: f32,
    /// Steps until the rate is reached.
    pub warm_up: u64,
    /// Tokens of a step; 384 take a three-layer student of width 128 about 80 ms on one core.
    pub step_tokens: usize,
    /// Weight of the true next token beside the teacher's distribution.
    pub hard_share: f32,
    /// Every so many steps the student learns from its own rollouts by the loss that grades them; 0 for never.
    pub rollout_every: u64,
    /// Skew of the reverse KL, as the subnet's spec has it.
    pub skew: f32,
    /// Prompts of a step of rollouts.
    pub rollouts: usize,
    /// Examples of the held-out set that [`Trainer::evaluate`] measures.
    pub held_out: usize,
    /// What the student learns from at first.
    pub shard: ShardPlan,
    /// Every so many steps a [`REFRESHED`]th of it is replaced by fresh examples; 0 for never.
    pub refresh_every: u64,
}

impl TrainerConfig {
    /// The settings that suit a small student on a shared CPU.
    pub fn small(seed: u64) -> TrainerConfig {
        TrainerConfig {
            seed,
            // Students start near their teacher: at three times this rate small batches carry them away from it.
            rate: 3e-4,
            warm_up: 20,
            step_tokens: 384,
            hard_share: 0.1,
            rollout_every: 4,
            skew: 0.1,
            rollouts: 6,
            held_out: 48,
            shard: ShardPlan {
                seed,
                items: 224,
                passages: 32,
                continuations: 96,
            },
            refresh_every: 4,
        }
    }
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Steps since random weights, this one included.
    pub step: u64,
    /// Mean loss of the step, nats per counted token: KL to the teacher, hard labels mixed in.
    pub loss: f32,
    /// Tokens of the step.
    pub tokens: u64,
    /// Whether it learnt from its own rollouts.
    pub rollout: bool,
}

/// Why training cannot start or go on.
#[derive(Debug, Error)]
pub enum TrainerError {
    /// The student does not open, or cannot be written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The teacher cannot be asked.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The student's weights cannot be run, for instance because training made them infinite.
    #[error(transparent)]
    Tensors(#[from] TensorsError),
    /// The tokenizer failed.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The shard holds nothing, or another teacher's words.
    #[error("the shard holds no examples of this teacher: record one from it")]
    Shard,
    /// Teacher and student write in different vocabularies.
    #[error("the student has {student} tokens, the teacher {teacher}: they need one tokenizer")]
    Vocabulary {
        /// The student's vocabulary.
        student: usize,
        /// The teacher's vocabulary.
        teacher: usize,
    },
}

/// A student in training on one backend.
pub struct Trainer<B: TrainBackend> {
    config: TrainerConfig,
    source: Arc<Source>,
    /// What the student learns from now.
    pool: Vec<Recorded>,
    /// Place in the pool of the example that the next refresh replaces.
    oldest: usize,
    held_out: Shard,
    /// Passes over the pool so far.
    pass: u64,
    /// Order of the pool's examples in this pass, and the next one's place in it.
    order: Vec<usize>,
    next: usize,
    student: Learner<B>,
    teacher: Recorder<B::InnerBackend>,
    device: B::Device,
    /// Configuration of the student, as it stands in its checkpoints.
    student_config: Config,
    /// Digest of the checkpoint that this run started from, and its history.
    parent: [u8; 32],
    steps: u64,
    tokens: u64,
    run_steps: u64,
}

impl<B: TrainBackend> Trainer<B> {
    /// Starts from a student's checkpoint, whose step count goes on. `shard` is what was recorded of the teacher before,
    /// so that several students share its work; `None` records it now.
    pub fn new(
        config: TrainerConfig,
        source: Arc<Source>,
        shard: Option<&Shard>,
        student: &Checkpoint,
        device: B::Device,
    ) -> Result<Self, TrainerError> {
        let (found, expected) = (
            student.config.vocab_size,
            source.checkpoint.config.vocab_size,
        );
        if found != expected {
            return Err(TrainerError::Vocabulary {
                student: found,
                teacher: expected,
            });
        }
        let mut teacher = Recorder::open(&source, &device)?;
        let pool = match shard {
            Some(shard) if shard.teacher == source.digest => shard.examples.clone(),
            Some(_) => return Err(TrainerError::Shard),
            None => teacher.record(&source.training, &config.shard)?.examples,
        };
        if pool.is_empty() {
            return Err(TrainerError::Shard);
        }
        let count = config.held_out;
        let plan = ShardPlan {
            seed: !config.seed,
            items: count / 2,
            passages: 0,
            continuations: count - count / 2,
        };
        let training = &student.manifest.training;
        let model = Transformer::from_tensors(&student.config, &student.tensors()?, &device)?;
        let mut trainer = Trainer {
            held_out: teacher.record(&source.held_out, &plan)?,
            student: Learner::new(model, Rule::AdamW),
            student_config: student.config.clone(),
            teacher,
            device,
            parent: student.digest(),
            steps: training.steps,
            tokens: training.tokens,
            run_steps: 0,
            pass: 0,
            order: Vec::new(),
            next: 0,
            config,
            source,
            pool,
            oldest: 0,
        };
        trainer.shuffle();
        Ok(trainer)
    }

    /// Steps since random weights.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One step. The same configuration, source and student give the same sequence of steps.
    pub fn step(&mut self) -> Result<StepReport, TrainerError> {
        let every = self.config.rollout_every;
        let rollout = every > 0 && self.steps % every == every - 1;
        let refresh = self.config.refresh_every;
        if refresh > 0 && self.steps % refresh == refresh - 1 {
            self.refresh()?;
        }
        let (loss, tokens) = if rollout {
            self.learn_from_rollouts()?
        } else {
            self.learn_from_pool()
        };
        self.steps += 1;
        self.run_steps += 1;
        self.tokens += tokens;
        Ok(StepReport {
            step: self.steps,
            loss,
            tokens,
            rollout,
        })
    }

    /// Mean KL( teacher || student ) in nats per token of each held-out example, always the same ones.
    pub fn evaluate(&self) -> Vec<f32> {
        divergences(&self.student.decoder(), &self.held_out.examples)
    }

    /// Shows the gate up to `most` fresh held-out examples, on which `served` and the student now are compared, and stops
    /// as soon as it opens. Which examples depends on the seed, the step count and what the gate has seen.
    pub fn judge(
        &mut self,
        gate: &mut Gate,
        served: &Checkpoint,
        most: usize,
    ) -> Result<bool, TrainerError> {
        let served = Transformer::<B::InnerBackend>::from_tensors(
            &served.config,
            &served.tensors()?,
            &self.device,
        )?;
        let student = self.student.decoder();
        const CHUNK: usize = 16;
        let mut shown = 0;
        while shown < most && !gate.open() {
            let count = CHUNK.min(most - shown);
            let seed = self.rng(gate.observed().wrapping_add(1)).random();
            let plan = ShardPlan {
                seed,
                items: count / 2,
                passages: 0,
                continuations: count - count / 2,
            };
            let fresh = self.teacher.record(&self.source.held_out, &plan)?;
            let (before, now) = (
                divergences(&served, &fresh.examples),
                divergences(&student, &fresh.examples),
            );
            for (before, now) in before.into_iter().zip(now) {
                if !gate.open() {
                    gate.observe(before, now);
                }
            }
            shown += count;
        }
        Ok(gate.open())
    }

    /// Writes the student as a checkpoint whose parent is the one that this run started from.
    pub fn publish(&self, dir: &Path, precision: Precision) -> Result<Checkpoint, TrainerError> {
        let losses = self.evaluate();
        let heldout_loss = losses.iter().sum::<f32>() / losses.len().max(1) as f32;
        let training = TrainingSummary {
            steps: self.steps,
            tokens: self.tokens,
            heldout_loss,
        };
        let provenance = Provenance {
            parent: Some(self.parent),
            training,
        };
        let tensors = self.student.tensors();
        let tokenizer = &self.source.tokenizer_json;
        Ok(Checkpoint::write(
            dir,
            &self.student_config,
            &tensors,
            tokenizer,
            &provenance,
            precision,
        )?)
    }

    /// Names the checkpoint that later ones descend from.
    pub fn set_parent(&mut self, digest: [u8; 32]) {
        self.parent = digest;
    }

    /// The generator of one step, so that a resumed run draws what an uninterrupted one would have drawn.
    fn rng(&self, purpose: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed ^ self.steps.rotate_left(20));
        rng.set_stream(purpose);
        rng
    }

    fn rate(&self) -> f64 {
        let warm = (self.run_steps + 1) as f64 / self.config.warm_up.max(1) as f64;
        f64::from(self.config.rate) * warm.min(1.0)
    }

    fn shuffle(&mut self) {
        let mut rng =
            ChaCha8Rng::seed_from_u64(self.config.seed ^ self.steps.rotate_left(20) ^ self.pass);
        self.order = (0..self.pool.len()).collect();
        self.order.shuffle(&mut rng);
        self.next = 0;
    }

    /// Replaces the oldest examples of the pool by fresh ones.
    fn refresh(&mut self) -> Result<(), TrainerError> {
        let ShardPlan {
            seed,
            items,
            passages,
            continuations,
        } = self.config.shard;
        let plan = ShardPlan {
            seed: seed ^ self.rng(u64::MAX).random::<u64>(),
            items: items / REFRESHED,
            passages: passages / REFRESHED,
            continuations: continuations / REFRESHED,
        };
        for fresh in self.teacher.record(&self.source.training, &plan)?.examples {
            if !self.pool.is_empty() {
                self.oldest %= self.pool.len();
                self.pool[self.oldest] = fresh;
                self.oldest += 1;
            }
        }
        Ok(())
    }

    /// Goes through the pool, in a new order after every pass.
    fn learn_from_pool(&mut self) -> (f32, u64) {
        if self.next >= self.order.len() {
            self.pass += 1;
            self.shuffle();
        }
        let mut batch = Batch::default();
        let mut taken = Vec::new();
        while self.next < self.order.len() && batch.tokens() < self.config.step_tokens {
            let at = self.order[self.next];
            let Recorded { example, .. } = &self.pool[at];
            batch.push(&example.tokens, example.counted());
            taken.push(at);
            self.next += 1;
        }
        let (hard, rate, tokens) = (self.config.hard_share, self.rate(), batch.tokens());
        let pool = &self.pool;
        let loss = descend(&mut self.student, batch, rate, |log_q| {
            let rows = taken.iter().flat_map(|&at| pool[at].labelled());
            forward_kl(log_q, rows, hard)
        });
        (loss, tokens as u64)
    }

    /// Lets the student answer, and moves it towards what the teacher thinks of those answers.
    fn learn_from_rollouts(&mut self) -> Result<(f32, u64), TrainerError> {
        let mut rng = self.rng(0);
        let stream = &self.source.training;
        let prompts: Vec<Vec<u32>> = (0..self.config.rollouts)
            .map(|_| {
                let example = &self.pool[rng.random_range(0..self.pool.len())].example;
                let cut = if example.from > 0 {
                    example.from + 1
                } else {
                    (example.tokens.len() / 3).max(1)
                };
                example.tokens[..cut].to_vec()
            })
            .collect();
        let student = self.student.decoder();
        let mut decoding = Decoding::new(&student, prompts.len(), usize::MAX)?;
        let examples = continued(&mut decoding, &prompts, stream.end(), &mut rng);
        let mut batch = Batch::default();
        for example in &examples {
            batch.push(&example.tokens, example.counted());
        }
        let teacher = self.teacher.log_probabilities(&batch);
        let (skew, rate, tokens) = (self.config.skew, self.rate(), batch.tokens());
        let loss = descend(&mut self.student, batch, rate, |log_q| {
            skewed_reverse_kl(log_q, Tensor::from_inner(teacher), skew)
        });
        Ok((loss, tokens as u64))
    }
}

/// One update along the mean of a loss per row, which is returned.
fn descend<B: TrainBackend>(
    student: &mut Learner<B>,
    batch: Batch,
    rate: f64,
    loss: impl FnOnce(Tensor<B, 2>) -> Tensor<B, 1>,
) -> f32 {
    let part = Part {
        batch,
        layers: None,
    };
    let (mut loss, mut mean) = (Some(loss), f32::NAN);
    student.update(&[part], rate, |_, log_q| {
        let loss = loss.take().expect("there is one part")(log_q).mean();
        mean = values(loss.clone().inner())[0];
        loss
    });
    mean
}

/// Mean KL( teacher || student ) of each example, nats per counted token.
fn divergences<B: ModelBackend>(model: &Transformer<B>, examples: &[Recorded]) -> Vec<f32> {
    let mut found = Vec::with_capacity(examples.len());
    let mut recorded = examples.iter();
    for (batch, taken) in packed(examples.iter().map(|recorded| &recorded.example)) {
        let count = taken.len();
        let rows = recorded.clone().take(count).flat_map(Recorded::labelled);
        let losses = values(forward_kl(batch.log_probabilities(model), rows, 0.0));
        let mut losses = losses.iter();
        found.extend(recorded.by_ref().take(count).map(|Recorded { rows, .. }| {
            losses.by_ref().take(rows.len()).sum::<f32>() / rows.len().max(1) as f32
        }));
    }
    found
}

#[cfg(test)]
mod tests;
