//! Distil a teacher into a student, one short step at a time.

use std::{path::Path, sync::Arc};

use athanor_model::{
    Checkpoint, Precision, TrainingSummary,
    checkpoint::{CheckpointError, Provenance},
    tokenizer::TokenizerError,
};
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::{
    cpu::{Adam, AdamSettings, Batch, Tape, forward, softmax},
    gate::Gate,
    lanes::{Lanes, Work},
    loss::{cross_entropy, forward_kl, skewed_reverse_kl},
    network::{Network, NetworkError},
    shard::{Recorded, Shard, ShardPlan, continued},
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
    /// The student's tensors do not fit its configuration.
    #[error(transparent)]
    Network(#[from] NetworkError),
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

/// A student in training.
pub struct Trainer {
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
    student: Network,
    adam: Adam,
    lanes: Lanes,
    /// Digest of the checkpoint that this run started from, and its history.
    parent: [u8; 32],
    steps: u64,
    tokens: u64,
    run_steps: u64,
}

impl Trainer {
    /// Starts from a student's checkpoint, whose step count goes on.
    pub fn new(
        config: TrainerConfig,
        source: Arc<Source>,
        student: &Checkpoint,
    ) -> Result<Trainer, TrainerError> {
        let shard = Arc::new(Shard::record(&source, &source.training, &config.shard)?);
        Trainer::with_shard(config, source, shard, student)
    }

    /// [`Self::new`] with a shard recorded before, so that several students share the teacher's work.
    pub fn with_shard(
        config: TrainerConfig,
        source: Arc<Source>,
        shard: Arc<Shard>,
        student: &Checkpoint,
    ) -> Result<Trainer, TrainerError> {
        let network = Network::open(student)?;
        let (found, expected) = (network.config.vocab_size, source.network.config.vocab_size);
        if shard.examples.is_empty() || shard.teacher != source.digest {
            return Err(TrainerError::Shard);
        }
        if found != expected {
            return Err(TrainerError::Vocabulary {
                student: found,
                teacher: expected,
            });
        }
        let count = config.held_out;
        let plan = ShardPlan {
            seed: !config.seed,
            items: count / 2,
            passages: 0,
            continuations: count - count / 2,
        };
        let training = &student.manifest.training;
        let mut trainer = Trainer {
            held_out: Shard::record(&source, &source.held_out, &plan)?,
            adam: Adam::new(AdamSettings::default(), &network.layout),
            lanes: Lanes::new(1),
            student: network,
            parent: student.digest(),
            steps: training.steps,
            tokens: training.tokens,
            run_steps: 0,
            pass: 0,
            order: Vec::new(),
            next: 0,
            config,
            source,
            pool: shard.examples.clone(),
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
            self.learn_from_rollouts()
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
        divergences(&self.student, &self.held_out.examples)
    }

    /// Shows the gate up to `most` fresh held-out examples, on which `served` and the student now are compared, and stops
    /// as soon as it opens. Which examples depends on the seed, the step count and what the gate has seen.
    pub fn judge(
        &self,
        gate: &mut Gate,
        served: &Checkpoint,
        most: usize,
    ) -> Result<bool, TrainerError> {
        let served = Network::open(served)?;
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
            let fresh = Shard::record(&self.source, &self.source.held_out, &plan)?;
            let (before, now) = (
                divergences(&served, &fresh.examples),
                divergences(&self.student, &fresh.examples),
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
        let tensors = self.student.to_tensors();
        let tokenizer = &self.source.tokenizer_json;
        Ok(Checkpoint::write(
            dir,
            &self.student.config,
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

    fn rate(&self) -> f32 {
        let warm = (self.run_steps + 1) as f32 / self.config.warm_up.max(1) as f32;
        self.config.rate * warm.min(1.0)
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
        for fresh in Shard::record(&self.source, &self.source.training, &plan)?.examples {
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
        while self.next < self.order.len() && batch.tokens.len() < self.config.step_tokens {
            let at = self.order[self.next];
            let Recorded { example, .. } = &self.pool[at];
            batch.push(&example.tokens, example.counted());
            taken.push(at);
            self.next += 1;
        }
        let rows = taken.iter().flat_map(|&at| {
            let Recorded { example, rows } = &self.pool[at];
            example
                .counted()
                .zip(rows)
                .map(|(position, row)| (example.tokens[position + 1], row))
        });
        let rows: Vec<_> = rows.collect();
        let (vocab, hard, weight) = (
            self.student.config.vocab_size,
            self.config.hard_share,
            1.0 / batch.rows.len() as f32,
        );
        let rate = self.rate();
        let work = [Work {
            layers: self.student.layers(),
            batch,
        }];
        let (losses, gradients) = self.lanes.run(&self.student, &work, false, |_, logits| {
            let mut labelled = vec![0.0; vocab];
            let mut total = 0.0;
            for (row, (target, top)) in logits.chunks_exact_mut(vocab).zip(&rows) {
                labelled.copy_from_slice(row);
                total += (1.0 - hard)
                    * forward_kl(row, &top.tokens, &top.probabilities, (1.0 - hard) * weight);
                total += hard * cross_entropy(&mut labelled, *target, hard * weight);
                for (slope, label) in row.iter_mut().zip(&labelled) {
                    *slope += label;
                }
            }
            total * weight
        });
        self.adam
            .step(&mut self.student.parameters, gradients, rate);
        (losses[0], work[0].batch.tokens.len() as u64)
    }

    /// Lets the student answer, and moves it towards what the teacher thinks of those answers.
    fn learn_from_rollouts(&mut self) -> (f32, u64) {
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
        let examples = continued(&self.student, &prompts, stream.end(), &mut rng);
        let mut batch = Batch::default();
        for example in &examples {
            batch.push(&example.tokens, example.counted());
        }
        let teacher = &self.source.network;
        let mut tape = Tape::default();
        forward(
            &teacher.layout,
            &teacher.parameters,
            &teacher.layers(),
            &batch,
            &mut tape,
        );
        let vocab = self.student.config.vocab_size;
        tape.logits.chunks_exact_mut(vocab).for_each(softmax);
        let (weight, skew, rate) = (1.0 / batch.rows.len() as f32, self.config.skew, self.rate());
        let work = [Work {
            layers: self.student.layers(),
            batch,
        }];
        let (losses, gradients) = self.lanes.run(&self.student, &work, false, |_, logits| {
            let rows = logits
                .chunks_exact_mut(vocab)
                .zip(tape.logits.chunks_exact(vocab));
            rows.map(|(row, teacher)| skewed_reverse_kl(row, teacher, skew, weight))
                .sum::<f32>()
                * weight
        });
        self.adam
            .step(&mut self.student.parameters, gradients, rate);
        (losses[0], work[0].batch.tokens.len() as u64)
    }
}

/// Mean KL( teacher || network ) of each example, nats per counted token.
fn divergences(network: &Network, examples: &[Recorded]) -> Vec<f32> {
    let mut tape = Tape::default();
    let one = |Recorded { example, rows }: &Recorded| {
        let mut batch = Batch::default();
        batch.push(&example.tokens, example.counted());
        forward(
            &network.layout,
            &network.parameters,
            &network.layers(),
            &batch,
            &mut tape,
        );
        let logits = tape.logits.chunks_exact_mut(network.config.vocab_size);
        let terms = logits
            .zip(rows)
            .map(|(row, top)| forward_kl(row, &top.tokens, &top.probabilities, 0.0));
        terms.sum::<f32>() / rows.len().max(1) as f32
    };
    examples.iter().map(one).collect()
}

#[cfg(test)]
mod tests;
