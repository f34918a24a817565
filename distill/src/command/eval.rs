//! `athanor-distill eval`: measure a checkpoint.

use std::path::PathBuf;

use athanor_distill::{
    evaluation::{EvaluationPlan, evaluate},
    source::Source,
};
use athanor_model::DeviceChoice;

use super::{CommandError, open, print};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the checkpoint.
    #[arg(long)]
    model: PathBuf,
    /// Held-out passages.
    #[arg(long, default_value_t = 200)]
    passages: usize,
    /// Items per task family.
    #[arg(long, default_value_t = 50)]
    items: usize,
    /// Sampling temperature of the answers.
    #[arg(long, default_value_t = 0.8)]
    temperature: f32,
    /// Seed of passages, items and samples.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to run it: cpu, cuda:N, or auto for the first card that works.
    #[arg(long, default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), CommandError> {
    let checkpoint = open(&arguments.model)?;
    let source = Source::open(&checkpoint)?;
    let Arguments {
        seed,
        passages,
        items,
        temperature,
        ..
    } = arguments;
    let found = evaluate(
        &checkpoint,
        &source.held_out,
        &EvaluationPlan {
            seed,
            passages,
            items,
            temperature,
        },
        arguments.device,
    )?;
    if arguments.json {
        print(serde_json::to_string(&found).map_err(std::io::Error::from)?)?;
    } else {
        print(&found)?;
    }
    Ok(())
}
