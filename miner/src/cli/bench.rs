//! `bench`: how fast a model runs and trains here.

use std::{fmt::Write as _, fs, io, path::PathBuf};

use athanor_distill::bundled::{self, BundledError};
use athanor_model::{
    Checkpoint, Config, Tensors, Tokenizer,
    benchmark::{self, BenchmarkError, Plan, Rate, Report},
    checkpoint::{CheckpointError, MANIFEST, TOKENIZER},
    huggingface::{self, OpenError},
    tokenizer::TokenizerError,
};
use thiserror::Error;

use super::arguments::BenchArgs;

/// Text on which narrow weights are compared with f32.
const TEXT: &str = "The furnace must be fed by night as by day, for a fire that goes out once has spoiled the work of a month. \
So the keeper built a tower beside it, filled it with charcoal, and let it fall by its own weight as the grate below burned \
clear. He counted the hours on a candle, wrote down what he saw, and slept. In the morning 17 drops had run over into the glass, \
3 more than the day before; at noon there were 21. What was heavy stayed below, what was light rose, and what rose was caught \
and poured back until nothing more would rise. A pupil asked why he did not simply heat it more. Because, said the keeper, \
a great fire drives everything over at once, and then you have in the second vessel only what you had in the first.";
/// The longest text that is read, in bytes.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// Why nothing was measured.
#[derive(Debug, Error)]
pub(crate) enum BenchError {
    #[error("the bundled model cannot be unpacked: {0}")]
    Bundled(#[from] BundledError),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} has {bytes} bytes; a text of at most {MAX_TEXT_BYTES} is read", path.display())]
    TextTooLong { path: PathBuf, bytes: u64 },
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the text cannot be turned into tokens: {0}")]
    Tokenizer(#[from] TokenizerError),
    #[error(transparent)]
    Benchmark(#[from] BenchmarkError),
    #[error("the report cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Measures, and says what came of it.
pub(crate) fn run(arguments: &BenchArgs) -> Result<String, BenchError> {
    let (config, tensors, tokenizer) = open(arguments)?;
    let text = match &arguments.text {
        Some(path) => read_text(path)?,
        None => TEXT.to_owned(),
    };
    let text = match &tokenizer {
        Some(tokenizer) => tokenizer.encode(&text)?,
        // Without a tokenizer bytes are as good as any tokens.
        None => text
            .bytes()
            .map(|byte| u32::from(byte) % config.vocab_size as u32)
            .collect(),
    };
    let batches: Vec<usize> = arguments.batch.iter().map(|&batch| batch.into()).collect();
    let plan = Plan {
        device: arguments.device,
        weights: arguments.weights,
        batches: &batches,
        text: &text,
    };
    let report = benchmark::measure(&config, &tensors, &plan)?;
    Ok(match arguments.json {
        true => serde_json::to_string(&report)?,
        false => table(&report),
    })
}

/// A checkpoint of ours, a directory of Hugging Face's, or the bundled teacher.
fn open(arguments: &BenchArgs) -> Result<(Config, Tensors, Option<Tokenizer>), BenchError> {
    let io = |path: &std::path::Path| {
        let path = path.to_owned();
        move |source| BenchError::Io { path, source }
    };
    match &arguments.model {
        Some(dir) if !dir.join(MANIFEST).exists() => {
            let (config, tensors) = huggingface::open(dir)?;
            let path = dir.join(TOKENIZER);
            let tokenizer = match path.exists() {
                true => Some(Tokenizer::from_json(&fs::read(&path).map_err(io(&path))?)?),
                false => None,
            };
            Ok((config, tensors, tokenizer))
        }
        Some(dir) => loaded(Checkpoint::open(dir)?),
        None => {
            let dir = std::env::temp_dir().join(format!("athanor-bench-{}", std::process::id()));
            let opened = bundled::write_teacher(&dir)
                .map_err(BenchError::from)
                .and_then(loaded);
            // What is left of it harms nobody.
            let _ = fs::remove_dir_all(&dir);
            opened
        }
    }
}

fn loaded(checkpoint: Checkpoint) -> Result<(Config, Tensors, Option<Tokenizer>), BenchError> {
    let tokenizer = checkpoint.tokenizer()?;
    Ok((
        checkpoint.config.clone(),
        checkpoint.tensors()?,
        Some(tokenizer),
    ))
}

fn read_text(path: &PathBuf) -> Result<String, BenchError> {
    let error = |source| BenchError::Io {
        path: path.clone(),
        source,
    };
    let bytes = fs::metadata(path).map_err(error)?.len();
    if bytes > MAX_TEXT_BYTES {
        return Err(BenchError::TextTooLong {
            path: path.clone(),
            bytes,
        });
    }
    fs::read_to_string(path).map_err(error)
}

/// The report for people.
fn table(report: &Report) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(out, "{name:<20}{value}");
    };
    let megabytes = |bytes: f64| format!("{:.1} MB", bytes / 1e6);
    let share = |rate: &Rate, of: &str| match rate.share {
        Some(share) => format!(", {:.0} % of {of}", 100.0 * share),
        None => String::new(),
    };
    line(
        "device",
        format!("{}, weights in {}", report.device, report.weights),
    );
    line(
        "parameters",
        format!(
            "{:.1} million, {} read by a decode step",
            report.parameters as f64 / 1e6,
            megabytes(report.weight_bytes as f64)
        ),
    );
    if let Some(ceiling) = report.ceiling {
        let (flops, bandwidth) = (ceiling.flops / 1e9, ceiling.bandwidth / 1e9);
        line(
            "machine",
            format!(
                "{flops:.0} GFLOP/s in f32, {bandwidth:.1} GB/s from memory, {} threads",
                ceiling.threads
            ),
        );
    }
    line(
        "time to first token",
        format!(
            "{:.1} ms after a prompt of {} tokens",
            report.ttft_ms, report.prompt_tokens
        ),
    );
    let prefill = &report.prefill;
    line(
        "prefill",
        format!(
            "{:.0} tokens/s{}",
            prefill.tokens_per_second,
            share(prefill, "FLOP/s")
        ),
    );
    for decode in &report.decode {
        let (name, rate) = (format!("decode, batch {}", decode.batch), &decode.rate);
        line(
            &name,
            format!(
                "{:.0} tokens/s{}",
                rate.tokens_per_second,
                share(rate, "bandwidth")
            ),
        );
    }
    match (&report.training, &report.training_error) {
        (Some(rate), _) => line(
            "training",
            format!(
                "{:.0} tokens/s{}",
                rate.tokens_per_second,
                share(rate, "FLOP/s")
            ),
        ),
        (None, error) => line(
            "training",
            format!(
                "not possible: {}",
                error.as_deref().unwrap_or("no reason given")
            ),
        ),
    }
    if let Some(fidelity) = report.fidelity {
        line(
            "cost of the weights",
            format!(
                "mean KL to f32 {:.2e} nats, likeliest token changed in {:.1} % of {} predictions",
                fidelity.mean_kl,
                100.0 * fidelity.changed_argmax,
                fidelity.tokens
            ),
        );
    }
    if let (Some(now), Some(peak)) = (report.resident_bytes, report.peak_resident_bytes) {
        line(
            "memory",
            format!(
                "{} resident, {} at most",
                megabytes(now as f64),
                megabytes(peak as f64)
            ),
        );
    }
    out.truncate(out.trim_end().len());
    out
}
