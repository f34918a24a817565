//! Measure a network on text and items that training never saw.

use std::fmt;

use athanor_model::{
    Checkpoint, Decoding, DeviceChoice, DeviceError, ModelBackend, OnDevice, TrainBackend,
    Transformer, checkpoint::CheckpointError, tensors::TensorsError, tokenizer::TokenizerError,
};
use athanor_scoring::task::{self, Family};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use thiserror::Error;

use crate::{
    batch::{packed, values},
    loss::cross_entropy,
    recorder::SLOTS,
    sample::continue_all,
    stream::{Example, Stream},
};

/// Answer tokens that are sampled at most, more than any expected answer has.
const ANSWER_TOKENS: usize = 12;

/// How an evaluation is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvaluationPlan {
    /// Seed of passages, items and samples.
    pub seed: u64,
    /// Held-out passages.
    pub passages: usize,
    /// Items per family.
    pub items: usize,
    /// Sampling temperature of the answers.
    pub temperature: f32,
}

/// What an evaluation found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Mean loss on held-out text, nats per token.
    pub text_loss: f32,
    /// Tokens of text behind it.
    pub text_tokens: usize,
    /// Mean loss on the answers of items, nats per token.
    pub answer_loss: f32,
    /// Sampled answers by family.
    pub families: Vec<FamilyScore>,
}

/// How well sampled answers of one family did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyScore {
    /// The family's name.
    pub family: &'static str,
    /// Share of answers that were entirely right.
    pub exact: f64,
    /// Mean grade, with partial credit.
    pub grade: f64,
    /// Answers sampled.
    pub items: usize,
}

impl Evaluation {
    /// Mean share of entirely right answers over the families.
    pub fn exact(&self) -> f64 {
        self.families.iter().map(|family| family.exact).sum::<f64>()
            / self.families.len().max(1) as f64
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "held-out text {:.3}  answers {:.3}",
            self.text_loss, self.answer_loss
        )?;
        self.families
            .iter()
            .try_for_each(|score| write!(f, "  {} {:.2}", score.family, score.exact))
    }
}

/// Evaluates a checkpoint on the held-out stream of its teacher's vocabulary.
pub fn evaluate(
    checkpoint: &Checkpoint,
    stream: &Stream,
    plan: &EvaluationPlan,
    device: DeviceChoice,
) -> Result<Evaluation, EvaluationError> {
    device.dispatch(Evaluate {
        checkpoint,
        stream,
        plan,
    })?
}

/// What [`evaluate`] does on the device.
struct Evaluate<'a> {
    checkpoint: &'a Checkpoint,
    stream: &'a Stream,
    plan: &'a EvaluationPlan,
}

impl OnDevice for Evaluate<'_> {
    type Output = Result<Evaluation, EvaluationError>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let tensors = self.checkpoint.tensors()?;
        let config = &self.checkpoint.config;
        let model = Transformer::<B::InnerBackend>::from_tensors(config, &tensors, &device)?;
        evaluate_model(&model, self.stream, self.plan)
    }
}

/// Why a checkpoint could not be evaluated.
#[derive(Debug, Error)]
pub enum EvaluationError {
    /// The device does not work.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The checkpoint does not open.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its weights cannot be run.
    #[error(transparent)]
    Tensors(#[from] TensorsError),
    /// The tokenizer failed.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

/// Evaluates a decoder; `stream` is a held-out one.
pub(crate) fn evaluate_model<B: ModelBackend>(
    model: &Transformer<B>,
    stream: &Stream,
    plan: &EvaluationPlan,
) -> Result<Evaluation, EvaluationError> {
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    let passages: Vec<Example> = (0..plan.passages).map(|_| stream.text(&mut rng)).collect();
    let mut items = Vec::new();
    let mut asked = Vec::new();
    for family in Family::TAUGHT {
        for _ in 0..plan.items {
            let item = task::generate(family, &task::TAUGHT, &mut rng);
            asked.push(stream.tokenizer().encode(&item.prompt)?);
            items.push(item);
        }
    }
    let examples: Vec<Example> = items
        .iter()
        .zip(&asked)
        .map(|(item, prompt)| {
            let mut tokens = prompt.clone();
            tokens.extend(stream.tokenizer().encode(&item.completion())?);
            tokens.push(stream.end());
            Ok(Example {
                family: Some(item.family),
                from: prompt.len() - 1,
                tokens,
            })
        })
        .collect::<Result<_, TokenizerError>>()?;

    let mut decoding = Decoding::new(model, SLOTS, usize::MAX)?;
    let mut families = Vec::new();
    for (family, (items, prompts)) in Family::TAUGHT.into_iter().zip(
        items
            .chunks(plan.items.max(1))
            .zip(asked.chunks(plan.items.max(1))),
    ) {
        let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        let answers = continue_all(
            &mut decoding,
            &prompts,
            ANSWER_TOKENS,
            plan.temperature,
            stream.end(),
            &mut rng,
        );
        let mut grades = Vec::with_capacity(items.len());
        for (item, answer) in items.iter().zip(&answers) {
            let finished = answer.last() == Some(&stream.end());
            let grade = task::grade(item, &stream.tokenizer().decode(answer)?);
            grades.push(if finished { grade } else { 0.0 });
        }
        let count = grades.len().max(1) as f64;
        families.push(FamilyScore {
            family: family.name(),
            exact: grades.iter().filter(|&&grade| grade == 1.0).count() as f64 / count,
            grade: grades.iter().sum::<f64>() / count,
            items: grades.len(),
        });
    }
    let (text_loss, text_tokens) = mean(&losses(model, &passages));
    let (answer_loss, _) = mean(&losses(model, &examples));
    Ok(Evaluation {
        text_loss,
        text_tokens,
        answer_loss,
        families,
    })
}

/// The summed loss and the number of counted tokens of each example.
fn losses<B: ModelBackend>(model: &Transformer<B>, examples: &[Example]) -> Vec<(f32, usize)> {
    let mut found = Vec::with_capacity(examples.len());
    for (batch, taken) in packed(examples) {
        let targets = taken.iter().flat_map(|example| example.targets());
        let losses = values(cross_entropy(batch.log_probabilities(model), targets));
        let mut losses = losses.into_iter();
        found.extend(taken.iter().map(|example| {
            let count = example.counted().len();
            (losses.by_ref().take(count).sum(), count)
        }));
    }
    found
}

fn mean(losses: &[(f32, usize)]) -> (f32, usize) {
    let tokens: usize = losses.iter().map(|(_, count)| count).sum();
    (
        losses.iter().map(|(loss, _)| loss).sum::<f32>() / tokens.max(1) as f32,
        tokens,
    )
}
