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

pub use crate::config::{ConfigError, Objective, TrainerConfig, Vocabulary};
use crate::{
    batch::{Batch, packed, tempered, values},
    gate::Gate,
    learner::{Learner, Part},
    loss::{cross_entropy, forward_kl, full_forward_kl, skewed_reverse_kl},
    optimiser::Rule,
    recorder::{RecordError, Recorder, continued},
    resume::{Place, Resume, ResumeError},
    shard::{Recorded, Shard, ShardPlan},
    source::{Source, Teacher},
};

/// The part of the examples that one refresh replaces is one in so many: a short step stays short, and at the pace of
/// [`TrainerConfig::small`] an example is seen about five times before it goes.
pub(crate) const REFRESHED: usize = 32;

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
    /// The settings make no training.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What is asked for cannot be had from a record.
    #[error(
        "only a record of the teacher is at hand: full vocabulary, fresh examples, own rollouts and temperatures need its directory"
    )]
    NeedsTeacher,
    /// The shard holds nothing, or another teacher's words.
    #[error("the shard holds no examples of this teacher at this temperature: record one from it")]
    Shard,
    /// The state of the run cannot be written or gone on with.
    #[error(transparent)]
    Resume(#[from] ResumeError),
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
    held_out: Vec<Recorded>,
    /// Examples of a record that only gates see, and how many one has seen.
    reserve: Vec<Recorded>,
    judged: usize,
    /// Passes over the pool so far.
    pass: u64,
    /// Order of the pool's examples in this pass, and the next one's place in it.
    order: Vec<usize>,
    next: usize,
    student: Learner<B>,
    /// `None` when it is known by its record alone.
    teacher: Option<Recorder<B::InnerBackend>>,
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
        let mut trainer = Trainer::open(config, source, student, device)?;
        trainer.pool = match shard {
            Some(shard) if trainer.takes(shard) => shard.examples.clone(),
            Some(_) => return Err(TrainerError::Shard),
            None => {
                let temperature = config.objective.temperature;
                let stream = &trainer.source.training;
                let teacher = trainer.teacher.as_mut().ok_or(TrainerError::NeedsTeacher)?;
                teacher.record(stream, &config.shard, temperature)?.examples
            }
        };
        if trainer.pool.is_empty() {
            return Err(TrainerError::Shard);
        }
        trainer.shuffle();
        Ok(trainer)
    }

    /// Goes on with a run from the state that it left beside its weights.
    pub(crate) fn resume(
        config: TrainerConfig,
        source: Arc<Source>,
        student: &Checkpoint,
        state: Resume,
        device: B::Device,
    ) -> Result<Self, TrainerError> {
        let mut trainer = Trainer::open(config, source, student, device)?;
        if !trainer.takes(&state.pool) || state.pool.examples.is_empty() {
            return Err(TrainerError::Shard);
        }
        trainer
            .student
            .resume(&state.optimiser)
            .map_err(ResumeError::Optimiser)?;
        trainer.pool = state.pool.examples;
        let Place {
            run_steps,
            pass,
            order,
            next,
            oldest,
            judged,
            gate: _,
        } = state.place;
        trainer.judged = judged;
        (trainer.run_steps, trainer.pass) = (run_steps, pass);
        (trainer.order, trainer.next, trainer.oldest) = (order, next, oldest);
        Ok(trainer)
    }

    /// A trainer that has nothing to learn from yet.
    fn open(
        config: TrainerConfig,
        source: Arc<Source>,
        student: &Checkpoint,
        device: B::Device,
    ) -> Result<Self, TrainerError> {
        config.check()?;
        let (found, expected) = (student.config.vocab_size, source.vocab);
        if found != expected {
            return Err(TrainerError::Vocabulary {
                student: found,
                teacher: expected,
            });
        }
        let (teacher, held_out, reserve) = match &source.teacher {
            Teacher::Present(checkpoint) => {
                let mut teacher = Recorder::open(checkpoint, &device)?;
                let plan = held_out(config.held_out, !config.seed);
                let examples = teacher.record(&source.held_out, &plan, 1.0)?.examples;
                (Some(teacher), examples, Vec::new())
            }
            Teacher::Recorded(_) if config.needs_teacher() => {
                return Err(TrainerError::NeedsTeacher);
            }
            Teacher::Recorded(examples) => {
                // Half for measuring, half for gates, if there are not enough for both.
                let measured = config.held_out.min(examples.len().div_ceil(2));
                let (measured, reserve) = examples.split_at(measured);
                (None, measured.to_vec(), reserve.to_vec())
            }
        };
        let training = &student.manifest.training;
        let model = Transformer::from_tensors(&student.config, &student.tensors()?, &device)?;
        Ok(Trainer {
            held_out,
            reserve,
            judged: 0,
            student: Learner::new(model, Rule::AdamW, config.clip),
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
            pool: Vec::new(),
            oldest: 0,
        })
    }

    /// Whether a shard was recorded from this teacher as the objective wants it.
    fn takes(&self, shard: &Shard) -> bool {
        shard.teacher == self.source.digest
            && shard.temperature == self.config.objective.temperature
    }

    /// Steps since random weights.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One step. The same configuration, source and student give the same sequence of steps.
    pub fn step(&mut self) -> Result<StepReport, TrainerError> {
        let every = self.config.objective.rollout_every;
        let rollout = every > 0 && self.steps % every == every - 1;
        let refresh = self.config.refresh_every;
        if refresh > 0 && self.steps % refresh == refresh - 1 {
            self.refresh()?;
        }
        let (loss, tokens) = if rollout {
            self.learn_from_rollouts()?
        } else {
            self.learn_from_pool()?
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
        divergences(&self.student.decoder(), &self.held_out)
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
            let fresh = self.fresh(count, gate)?;
            if fresh.is_empty() {
                break;
            }
            let (before, now) = (divergences(&served, &fresh), divergences(&student, &fresh));
            for (before, now) in before.into_iter().zip(now) {
                if !gate.open() {
                    gate.observe(before, now);
                }
            }
            shown += count;
        }
        Ok(gate.open())
    }

    /// Held-out examples that no gate has seen: from the teacher as many as are wanted, of a record what is left.
    fn fresh(&mut self, count: usize, gate: &Gate) -> Result<Vec<Recorded>, TrainerError> {
        let seed = self.rng(gate.observed().wrapping_add(1)).random();
        if let Some(teacher) = &mut self.teacher {
            let plan = held_out(count, seed);
            return Ok(teacher.record(&self.source.held_out, &plan, 1.0)?.examples);
        }
        let left = self.reserve.get(self.judged..).unwrap_or_default();
        let fresh = left[..count.min(left.len())].to_vec();
        self.judged += fresh.len();
        Ok(fresh)
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

    /// Writes everything that [`Self::resume`] needs into a directory.
    pub(crate) fn save(&self, dir: &Path, gate: &Gate) -> Result<(), TrainerError> {
        let checkpoint = self.publish(dir, Precision::F32)?;
        let place = Place {
            run_steps: self.run_steps,
            pass: self.pass,
            order: self.order.clone(),
            next: self.next,
            oldest: self.oldest,
            judged: self.judged,
            gate: gate.evidence(),
        };
        let pool = Shard {
            teacher: self.source.digest,
            vocab: self.student_config.vocab_size,
            temperature: self.config.objective.temperature,
            examples: self.pool.clone(),
        };
        let optimiser = self.student.moments().map_err(ResumeError::Optimiser)?;
        let state = Resume {
            place,
            optimiser,
            pool,
        };
        Ok(state.write(dir, checkpoint.digest())?)
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
        let done = match self.config.planned_steps {
            Some(planned) => self.run_steps as f64 / planned.max(1) as f64,
            None => 0.0,
        };
        self.config.schedule.at(self.run_steps, done)
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
        let temperature = self.config.objective.temperature;
        let teacher = self.teacher.as_mut().ok_or(TrainerError::NeedsTeacher)?;
        let shard = teacher.record(&self.source.training, &plan, temperature)?;
        for fresh in shard.examples {
            if !self.pool.is_empty() {
                self.oldest %= self.pool.len();
                self.pool[self.oldest] = fresh;
                self.oldest += 1;
            }
        }
        Ok(())
    }

    /// The next batch of the pool, and which examples are in it; a new order after every pass.
    fn next_batch(&mut self) -> (Batch, Vec<usize>) {
        if self.next >= self.order.len() {
            self.pass += 1;
            self.shuffle();
        }
        let (mut batch, mut taken) = (Batch::default(), Vec::new());
        while self.next < self.order.len() && batch.tokens() < self.config.step_tokens {
            let at = self.order[self.next];
            let Recorded { example, .. } = &self.pool[at];
            batch.push(&example.tokens, example.counted());
            taken.push(at);
            self.next += 1;
        }
        (batch, taken)
    }

    /// Moves the student towards what the teacher says about the pool's examples.
    fn learn_from_pool(&mut self) -> Result<(f32, u64), TrainerError> {
        let batches = (0..self.config.accumulate.get()).map(|_| self.next_batch());
        let (batches, taken): (Vec<Batch>, Vec<Vec<usize>>) = batches.unzip();
        let Objective {
            hard_share,
            temperature,
            vocabulary,
            ..
        } = self.config.objective;
        // The live teacher is asked only where the record does not hold what is wanted.
        let full: Vec<_> = match (vocabulary, &self.teacher) {
            (Vocabulary::Full, Some(teacher)) => batches
                .iter()
                .map(|batch| Some(teacher.log_probabilities(batch, temperature)))
                .collect(),
            (Vocabulary::Full, None) => return Err(TrainerError::NeedsTeacher),
            (Vocabulary::Top, _) => vec![None; batches.len()],
        };
        let (rate, pool) = (self.rate(), &self.pool);
        let loss = |part: usize, logits: Tensor<B, 2>| {
            let examples = || taken[part].iter().map(|&at| &pool[at]);
            let log_q = tempered(logits.clone(), temperature);
            let soft = match &full[part] {
                Some(teacher) => {
                    full_forward_kl(log_q.clone(), Tensor::from_inner(teacher.clone()))
                }
                None => forward_kl(log_q.clone(), examples().flat_map(|one| &one.rows)),
            };
            // The square keeps the gradient's size whatever the temperature (Hinton et al., 2015).
            let soft = soft.mul_scalar((1.0 - hard_share) * temperature * temperature);
            if hard_share == 0.0 {
                return soft;
            }
            let log_q = match temperature {
                1.0 => log_q,
                _ => tempered(logits, 1.0),
            };
            let targets = examples().flat_map(|one| one.example.targets());
            soft + cross_entropy(log_q, targets).mul_scalar(hard_share)
        };
        Ok(descend(&mut self.student, batches, rate, loss))
    }

    /// Lets the student answer, and moves it towards what the teacher thinks of those answers.
    fn learn_from_rollouts(&mut self) -> Result<(f32, u64), TrainerError> {
        let teacher = self.teacher.as_ref().ok_or(TrainerError::NeedsTeacher)?;
        let mut rng = self.rng(0);
        let stream = &self.source.training;
        let prompts: Vec<Vec<u32>> = (0..self.config.objective.rollouts)
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
        let teacher = teacher.log_probabilities(&batch, 1.0);
        let (skew, rate) = (self.config.objective.skew, self.rate());
        let loss = |_, logits| {
            let teacher = Tensor::from_inner(teacher.clone());
            skewed_reverse_kl(tempered(logits, 1.0), teacher, skew)
        };
        Ok(descend(&mut self.student, vec![batch], rate, loss))
    }
}

/// Held-out examples in the mix that a subnet asks for.
fn held_out(count: usize, seed: u64) -> ShardPlan {
    ShardPlan {
        seed,
        items: count / 2,
        passages: 0,
        continuations: count - count / 2,
    }
}

/// One update along the mean of a loss per row of all batches; that mean, and the tokens.
fn descend<B: TrainBackend>(
    student: &mut Learner<B>,
    batches: Vec<Batch>,
    rate: f64,
    loss: impl Fn(usize, Tensor<B, 2>) -> Tensor<B, 1>,
) -> (f32, u64) {
    let rows: usize = batches.iter().map(Batch::rows).sum();
    let tokens = batches.iter().map(|batch| batch.tokens() as u64).sum();
    let parts: Vec<Part> = batches
        .into_iter()
        .map(|batch| Part {
            batch,
            layers: None,
        })
        .collect();
    let mut mean = 0.0;
    student.update(&parts, rate, |part, logits| {
        let loss = loss(part, logits).sum().div_scalar(rows as f32);
        mean += values(loss.clone().inner()).iter().sum::<f32>();
        loss
    });
    (mean, tokens)
}

/// Mean KL( teacher || student ) of each example, nats per counted token.
fn divergences<B: ModelBackend>(model: &Transformer<B>, examples: &[Recorded]) -> Vec<f32> {
    let mut found = Vec::with_capacity(examples.len());
    let mut recorded = examples.iter();
    for (batch, taken) in packed(examples.iter().map(|recorded| &recorded.example)) {
        let count = taken.len();
        let rows = recorded.clone().take(count).flat_map(|one| &one.rows);
        let losses = values(forward_kl(batch.log_probabilities(model), rows));
        let mut losses = losses.iter();
        found.extend(recorded.by_ref().take(count).map(|Recorded { rows, .. }| {
            losses.by_ref().take(rows.len()).sum::<f32>() / rows.len().max(1) as f32
        }));
    }
    found
}

#[cfg(test)]
mod tests;
