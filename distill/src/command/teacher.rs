//! `athanor-distill teacher`: train a small teacher from nothing.

use std::{path::PathBuf, time::Duration};

use athanor_distill::teacher::{self, Budget, Progress, TeacherConfig};
use athanor_model::DeviceChoice;

use super::{CommandError, print};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the checkpoint and of training.jsonl.
    #[arg(long)]
    out: PathBuf,
    /// Checkpoint to go on from, with fresh optimiser state.
    #[arg(long)]
    from: Option<PathBuf>,
    /// Train for so many minutes.
    #[arg(long, default_value_t = 60.0, conflicts_with = "steps")]
    minutes: f64,
    /// Train for so many steps instead; the same seed then gives the same teacher.
    #[arg(long)]
    steps: Option<u64>,
    /// Seed of weights, vocabulary and examples.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tokens per step, in two batches.
    #[arg(long, default_value_t = 2048)]
    tokens: usize,
    /// Share of the tokens that is text; the rest are task items.
    #[arg(long, default_value_t = 0.45)]
    text: f64,
    /// Highest learning rate.
    #[arg(long, default_value_t = 3e-3)]
    rate: f32,
    /// Width of the network, a multiple of 64.
    #[arg(long, default_value_t = 128)]
    width: usize,
    /// Number of layers.
    #[arg(long, default_value_t = 4)]
    layers: usize,
    /// Seconds between evaluations; each may write a checkpoint.
    #[arg(long, default_value_t = 200)]
    evaluate_every: u64,
    /// Where to train: cpu, cuda:N, or auto for the first card that works.
    #[arg(long, default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
    /// Print progress as JSON lines.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), CommandError> {
    let refuse = |flag, value: String, expected| {
        Err(CommandError::Flag {
            flag,
            value,
            expected,
        })
    };
    if arguments.width == 0 || !arguments.width.is_multiple_of(64) {
        return refuse(
            "width",
            arguments.width.to_string(),
            "give a multiple of 64",
        );
    }
    if !(1..=64).contains(&arguments.layers) {
        return refuse("layers", arguments.layers.to_string(), "give 1 to 64");
    }
    if !(0.0..=1.0).contains(&arguments.text) {
        return refuse(
            "text",
            arguments.text.to_string(),
            "give a share from 0 to 1",
        );
    }
    if !(arguments.minutes > 0.0 && arguments.minutes < 1e6) {
        return refuse(
            "minutes",
            arguments.minutes.to_string(),
            "give a positive number of minutes",
        );
    }
    let budget = match arguments.steps {
        Some(steps) => Budget::Steps(steps),
        None => Budget::Time(Duration::from_secs_f64(arguments.minutes * 60.0)),
    };
    let config = TeacherConfig {
        out: arguments.out,
        from: arguments.from,
        budget,
        seed: arguments.seed,
        part_tokens: (arguments.tokens / 2).max(1),
        text_share: arguments.text,
        rate: arguments.rate,
        width: arguments.width,
        layers: arguments.layers,
        evaluate_every: Duration::from_secs(arguments.evaluate_every),
        device: arguments.device,
    };
    let mut lost = None;
    let checkpoint = teacher::train(&config, |progress| {
        if lost.is_none() {
            lost = report(progress, arguments.json).err();
        }
    })?;
    if let Some(error) = lost {
        return Err(error.into());
    }
    if !arguments.json {
        print(format_args!("wrote {}", checkpoint.dir.display()))?;
    }
    Ok(())
}

fn report(progress: &Progress, json: bool) -> std::io::Result<()> {
    if json {
        return print(serde_json::to_string(progress)?);
    }
    print(format_args!(
        "step {:>6}  text {:.3}  answers {:.3}  {:>6.0} tokens/s  {:>4.0} s left",
        progress.step,
        progress.text_loss,
        progress.answer_loss,
        progress.tokens_per_second,
        progress.remaining
    ))?;
    match &progress.evaluation {
        Some(found) => print(format_args!("  {found}")),
        None => Ok(()),
    }
}
