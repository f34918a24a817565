//! A teacher at work for its students: it continues prompts, and says how likely it finds what they write.

use athanor_model::{
    Checkpoint, Decoding, DeviceError, ModelBackend, OnDevice, TrainBackend, Transformer,
    checkpoint::CheckpointError, tensors::TensorsError, tokenizer::TokenizerError,
};
use burn::tensor::Tensor;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::{
    batch::{Batch, packed, tempered, values},
    sample::continue_all,
    shard::{KEPT, Recorded, Shard, ShardPlan, Top},
    source::{Source, Teacher},
    stream::{Example, Stream},
};

/// Tokens of real text before the teacher goes on by itself.
pub(crate) const PROMPT_TOKENS: std::ops::RangeInclusive<usize> = 12..=40;
/// Tokens that the teacher adds to such a prompt.
const CONTINUATION_TOKENS: usize = 32;
/// Prompts that are continued at once.
pub(crate) const SLOTS: usize = 16;

/// Why a teacher could not be recorded.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The teacher is known by its record alone.
    #[error("the teacher is not at hand, only a record of it: give its directory")]
    NoTeacher,
    /// The device does not work.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The teacher does not open.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its weights cannot be run.
    #[error(transparent)]
    Tensors(#[from] TensorsError),
    /// Its tokenizer failed.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

/// A teacher on a device.
pub(crate) struct Recorder<B: ModelBackend> {
    teacher: Transformer<B>,
    decoding: Decoding,
    digest: [u8; 32],
}

impl<B: ModelBackend> Recorder<B> {
    /// Loads the teacher.
    pub(crate) fn open(checkpoint: &Checkpoint, device: &B::Device) -> Result<Self, RecordError> {
        let teacher =
            Transformer::<B>::from_tensors(&checkpoint.config, &checkpoint.tensors()?, device)?;
        Ok(Self {
            decoding: Decoding::new(&teacher, SLOTS, usize::MAX)?,
            teacher,
            digest: checkpoint.digest(),
        })
    }

    /// Asks about examples drawn from a stream; the answers are flattened (above 1) or sharpened by `temperature`.
    pub(crate) fn record(
        &mut self,
        stream: &Stream,
        plan: &ShardPlan,
        temperature: f32,
    ) -> Result<Shard, TokenizerError> {
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        let mut examples = Vec::with_capacity(plan.items + plan.passages + plan.continuations);
        for _ in 0..plan.items {
            examples.push(stream.any_item(&mut rng)?);
        }
        examples.extend((0..plan.passages).map(|_| stream.text(&mut rng)));
        let prompts: Vec<Vec<u32>> = (0..plan.continuations)
            .map(|_| {
                let mut tokens = stream.text(&mut rng).tokens;
                tokens.pop();
                tokens.truncate(rng.random_range(PROMPT_TOKENS));
                tokens
            })
            .collect();
        examples.extend(continued(
            &mut self.decoding,
            &prompts,
            stream.end(),
            &mut rng,
        ));
        // Families in blocks would break the gate's statistics; order is random by construction.
        examples.shuffle(&mut rng);
        let mut recorded = Vec::with_capacity(examples.len());
        for (batch, taken) in packed(&examples) {
            let log_p = values(self.log_probabilities(&batch, temperature));
            let mut rows = log_p.chunks_exact(self.teacher.config().vocab_size);
            for example in taken {
                let rows = rows.by_ref().take(example.counted().len());
                recorded.push(Recorded {
                    rows: rows.map(top).collect(),
                    example: example.clone(),
                });
            }
        }
        Ok(Shard {
            teacher: self.digest,
            vocab: self.teacher.config().vocab_size,
            temperature,
            examples: recorded,
        })
    }

    /// The teacher's log-probabilities at a batch's rows and at a temperature, `[rows, vocab]`.
    pub(crate) fn log_probabilities(&self, batch: &Batch, temperature: f32) -> Tensor<B, 2> {
        tempered(batch.logits(&self.teacher), temperature)
    }
}

/// What [`Shard::record`] does on the device.
pub(crate) struct Record<'a> {
    pub(crate) source: &'a Source,
    pub(crate) stream: &'a Stream,
    pub(crate) plan: &'a ShardPlan,
    pub(crate) temperature: f32,
}

impl OnDevice for Record<'_> {
    type Output = Result<Shard, RecordError>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let Teacher::Present(checkpoint) = &self.source.teacher else {
            return Err(RecordError::NoTeacher);
        };
        let mut recorder = Recorder::<B::InnerBackend>::open(checkpoint, &device)?;
        Ok(recorder.record(self.stream, self.plan, self.temperature)?)
    }
}

/// Prompts with a network's own continuations, of which only the continuation counts.
pub(crate) fn continued(
    decoding: &mut Decoding,
    prompts: &[Vec<u32>],
    end: u32,
    rng: &mut impl Rng,
) -> Vec<Example> {
    let views: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let answers = continue_all(decoding, &views, CONTINUATION_TOKENS, 1.0, end, rng);
    let joined = prompts.iter().zip(answers).map(|(prompt, answer)| Example {
        family: None,
        from: prompt.len() - 1,
        tokens: [&prompt[..], &answer].concat(),
    });
    joined.collect()
}

/// The likeliest tokens of a row of log-probabilities.
fn top(log_p: &[f32]) -> Top {
    let mut order: Vec<u32> = (0..log_p.len() as u32).collect();
    let likelier = |a: &u32, b: &u32| {
        log_p[*b as usize]
            .total_cmp(&log_p[*a as usize])
            .then(a.cmp(b))
    };
    let kept = KEPT.min(order.len());
    if kept < order.len() {
        order.select_nth_unstable_by(kept, likelier);
    }
    order[..kept].sort_unstable_by(likelier);
    let mut row = Top {
        tokens: [0; KEPT],
        probabilities: [0.0; KEPT],
    };
    for (at, &token) in order[..kept].iter().enumerate() {
        // At most one, whatever the rounding: the file's format relies on it.
        let p = log_p[token as usize].exp().min(1.0);
        (row.tokens[at], row.probabilities[at]) = (token, p);
    }
    row
}
