//! `athanor-distill record`: write down what a teacher says, once, for any number of students.

use std::path::PathBuf;

use athanor_distill::{
    shard::{Shard, ShardPlan},
    source::Source,
};
use athanor_model::{Checkpoint, DeviceChoice};

use super::{CommandError, print};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the teacher.
    #[arg(long)]
    teacher: PathBuf,
    /// The file to write.
    #[arg(long)]
    out: PathBuf,
    /// Task items.
    #[arg(long, default_value_t = 2240)]
    items: usize,
    /// Passages of real text.
    #[arg(long, default_value_t = 320)]
    passages: usize,
    /// Beginnings of passages that the teacher continues in its own words.
    #[arg(long, default_value_t = 960)]
    continuations: usize,
    /// Temperature of the recorded distributions; students are to be trained at the same one.
    #[arg(long, default_value_t = 1.0)]
    temperature: f32,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the teacher runs: cpu, cuda:N, or auto for the first card that works.
    #[arg(long, default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), CommandError> {
    let Arguments {
        items,
        passages,
        continuations,
        temperature,
        seed,
        ..
    } = arguments;
    if !(temperature > 0.0 && temperature.is_finite()) {
        return Err(CommandError::Flag {
            flag: "temperature",
            value: temperature.to_string(),
            expected: "give a positive number",
        });
    }
    if items + passages + continuations == 0 {
        return Err(CommandError::Flag {
            flag: "items",
            value: items.to_string(),
            expected: "give at least one item, passage or continuation",
        });
    }
    let checkpoint = Checkpoint::open(&arguments.teacher).map_err(|source| CommandError::Open {
        dir: arguments.teacher.clone(),
        source,
    })?;
    let source = Source::open(&checkpoint)?;
    let plan = ShardPlan {
        seed,
        items,
        passages,
        continuations,
    };
    let stream = &source.training;
    let shard = Shard::record_at(&source, stream, &plan, temperature, arguments.device)?;
    let bytes = shard.to_bytes();
    std::fs::write(&arguments.out, &bytes).map_err(|source| CommandError::Write {
        path: arguments.out.clone(),
        source,
    })?;
    let rows: usize = shard.examples.iter().map(|one| one.rows.len()).sum();
    print(format_args!(
        "wrote {}: {} examples, {rows} positions, {} bytes",
        arguments.out.display(),
        shard.examples.len(),
        bytes.len()
    ))?;
    Ok(())
}
