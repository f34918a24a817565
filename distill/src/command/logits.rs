//! `athanor-distill logits`: what a model makes of a few tokens.

use std::path::PathBuf;

use athanor_model::{DeviceChoice, huggingface, scorer::Scorer};
use serde_json::json;

use super::{CommandError, print};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory with config.json and safetensors; it needs no tokenizer and no manifest.
    #[arg(long)]
    model: PathBuf,
    /// Token ids, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    tokens: Vec<u32>,
    /// Where to run it: cpu, cuda:N, or auto for the first card that works.
    #[arg(long, default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
    /// Print one JSON object: the logits after the last token, and the likeliest token after each.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), CommandError> {
    let (config, tensors) = huggingface::open(&arguments.model)?;
    let scorer = Scorer::from_tensors(&config, &tensors, arguments.device)?;
    let logits = scorer.logits(&arguments.tokens, 1)?;
    let rows: Vec<&[f32]> = (0..logits.rows()).map(|at| logits.row(at)).collect();
    let argmax: Vec<usize> = rows.iter().map(|row| likeliest(row)).collect();
    let last = rows.last().copied().unwrap_or_default();
    if arguments.json {
        print(json!({"last_logits": last, "argmax": argmax}))?;
        return Ok(());
    }
    for (token, next) in arguments.tokens.iter().zip(&argmax) {
        print(format_args!("{token:>8} -> {next}"))?;
    }
    Ok(())
}

/// The place of the largest logit, the first of equals.
fn likeliest(row: &[f32]) -> usize {
    let first = |best: (usize, f32), (at, &logit): (usize, &f32)| match logit > best.1 {
        true => (at, logit),
        false => best,
    };
    row.iter().enumerate().fold((0, f32::NEG_INFINITY), first).0
}
