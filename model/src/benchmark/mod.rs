//! Measure what a model does on a device, as shares of what the machine can do at most.

mod fidelity;
mod training;

use std::time::{Duration, Instant};

use serde::Serialize;
use thiserror::Error;

use crate::{
    ceiling::Ceiling,
    config::Config,
    decode::LoadError,
    decoding::Decoding,
    device::{Device, DeviceChoice, DeviceError},
    kernels::packed::WeightFormat,
    scorer::ScoreError,
    tensors::Tensors,
};
pub use fidelity::Fidelity;

/// Tokens of the prompt of a prefill, or half the model's context.
const PREFILL: usize = 256;
/// Tokens of the prompts before a decode.
const PROMPT: usize = 16;
/// Tokens of each sequence of a training step, and how many sequences.
const TRAINED: usize = 128;
const SEQUENCES: usize = 4;
/// A figure is the median of at least so many rounds, and of more until the time is over.
const ROUNDS: usize = 3;
const TIME: Duration = Duration::from_secs(2);

/// What to measure.
pub struct Plan<'a> {
    /// Where the model runs.
    pub device: DeviceChoice,
    /// How its weights are kept.
    pub weights: WeightFormat,
    /// Numbers of sequences to decode at once.
    pub batches: &'a [usize],
    /// Tokens on which narrow weights are compared with f32.
    pub text: &'a [u32],
}

/// What was measured. A share is of the machine's ceiling, which is measured on the CPU only.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The device, as it is asked for by name.
    pub device: String,
    /// How the weights were kept.
    pub weights: String,
    /// Number of parameters.
    pub parameters: u64,
    /// Bytes of weights that a decode step reads.
    pub weight_bytes: usize,
    /// What the machine can do at most; `None` on a card.
    pub ceiling: Option<Ceiling>,
    /// Milliseconds from a prompt of that many tokens to the first token.
    pub ttft_ms: f64,
    /// Tokens of that prompt.
    pub prompt_tokens: usize,
    /// The prompt's tokens per second, of peak FLOP/s.
    pub prefill: Rate,
    /// Decoded tokens per second of each batch, of memory bandwidth.
    pub decode: Vec<BatchRate>,
    /// Trained tokens per second, of peak FLOP/s; `None` when the device's memory did not suffice.
    pub training: Option<Rate>,
    /// Why there is no figure for training.
    pub training_error: Option<String>,
    /// What narrow weights cost; `None` for f32.
    pub fidelity: Option<Fidelity>,
    /// The process's memory in bytes: now, and at most so far. `None` where the system does not say.
    pub resident_bytes: Option<u64>,
    /// The most that it was.
    pub peak_resident_bytes: Option<u64>,
}

/// A speed and how much of the ceiling it takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// Tokens per second.
    pub tokens_per_second: f64,
    /// Share of the ceiling, where that is known.
    pub share: Option<f64>,
}

/// A decode's speed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BatchRate {
    /// Sequences at once.
    pub batch: usize,
    /// Their tokens per second, together.
    #[serde(flatten)]
    pub rate: Rate,
}

/// Why nothing could be measured.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BenchmarkError {
    /// The device does not work.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The model does not load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The text cannot be measured.
    #[error("the text for comparing weights cannot be used: {0}")]
    Text(#[from] ScoreError),
    /// The model is too small to measure.
    #[error(
        "the model's context of {context} tokens is too short to measure; at least {least} are needed"
    )]
    Context {
        /// The model's context.
        context: usize,
        /// The shortest that is measured.
        least: usize,
    },
}

/// Measures a model; takes some seconds, and minutes for a large one.
pub fn measure(
    config: &Config,
    tensors: &Tensors,
    plan: &Plan<'_>,
) -> Result<Report, BenchmarkError> {
    let context = config.max_position_embeddings;
    if context < 2 * PROMPT {
        return Err(BenchmarkError::Context {
            context,
            least: 2 * PROMPT,
        });
    }
    let device = plan.device.resolve()?;
    let name = device.name();
    let ceiling = matches!(device, Device::Cpu).then(Ceiling::measure);
    let prompt_tokens = PREFILL.min(context / 2);
    let most = plan.batches.iter().copied().max().unwrap_or(1);
    let on = (name, plan.weights);
    let mut decoding = Decoding::of_tensors(config, tensors, on, most, 2 * PREFILL)?;
    let prompt = ids(config, prompt_tokens);
    let ttft = median(|| {
        let start = Instant::now();
        decoding.start(&[&prompt]);
        let token = decoding
            .logits()
            .next()
            .map(|row| crate::sampler::sample(row, 1.0, 7, 0));
        std::hint::black_box(token);
        start.elapsed()
    });
    let layers = work(config) - (config.vocab_size * config.hidden_size) as f64;
    let rate = prompt_tokens as f64 / ttft.as_secs_f64();
    let of_flops = |rate: f64, operations: f64| Rate {
        tokens_per_second: rate,
        share: ceiling.map(|ceiling| rate * operations / ceiling.flops),
    };
    let weight_bytes = decoding.weight_bytes();
    let decode = plan.batches.iter().map(|&batch| {
        let step = decode_step(config, &mut decoding, batch).as_secs_f64();
        let share = ceiling.map(|ceiling| weight_bytes as f64 / step / ceiling.bandwidth);
        let tokens_per_second = batch as f64 / step;
        let rate = Rate {
            tokens_per_second,
            share,
        };
        BatchRate { batch, rate }
    });
    let decode = decode.collect();
    drop(decoding);
    let fidelity = match plan.weights {
        WeightFormat::F32 => None,
        _ => Some(Fidelity::measure(
            config,
            tensors,
            name,
            plan.weights,
            plan.text,
        )?),
    };
    let trained = training::rate(config, tensors, name, [SEQUENCES, TRAINED.min(context)]);
    let (training, training_error) = match trained {
        Ok(rate) => (Some(of_flops(rate, 6.0 * work(config))), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let [resident_bytes, peak_resident_bytes] = ["VmRSS:", "VmHWM:"].map(memory);
    Ok(Report {
        device: name.to_string(),
        weights: plan.weights.to_string(),
        parameters: config.parameters(),
        weight_bytes,
        ceiling,
        ttft_ms: ttft.as_secs_f64() * 1e3,
        prompt_tokens,
        prefill: of_flops(rate, 2.0 * layers),
        decode,
        training,
        training_error,
        fidelity,
        resident_bytes,
        peak_resident_bytes,
    })
}

/// Weights that a token is multiplied with: those of the layers' matrices and of the head.
fn work(config: &Config) -> f64 {
    let attention = 2 * (config.query_width() + config.key_width());
    let layer = config.hidden_size * (attention + 3 * config.intermediate_size);
    (config.num_hidden_layers * layer + config.vocab_size * config.hidden_size) as f64
}

fn ids(config: &Config, count: usize) -> Vec<u32> {
    let vocab = config.vocab_size;
    (0..count).map(|i| (i * 7919 % vocab) as u32).collect()
}

/// The median of what a round says, after one that does not count.
fn median(mut round: impl FnMut() -> Duration) -> Duration {
    round();
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < ROUNDS || start.elapsed() < TIME {
        times.push(round());
    }
    times.sort();
    times[times.len() / 2]
}

/// The time of one step of that many sequences.
fn decode_step(config: &Config, decoding: &mut Decoding, batch: usize) -> Duration {
    let prompt = ids(config, PROMPT);
    let prompts = vec![prompt.as_slice(); batch];
    let next = ids(config, batch);
    let steps = (decoding.max_context() - PROMPT).min(32);
    median(|| {
        decoding.start(&prompts);
        let start = Instant::now();
        (0..steps).for_each(|_| decoding.append(&next));
        start.elapsed() / steps as u32
    })
}

/// A line of Linux's account of this process, in bytes.
fn memory(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|found| found.strip_prefix(line))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests;
