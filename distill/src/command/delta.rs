//! `athanor-distill delta`: what a series of checkpoints costs whoever follows it.

use std::{fs, path::PathBuf};

use athanor_model::{
    Checkpoint,
    checkpoint::{FileEntry, delta},
};
use serde::Serialize;

use super::{CommandError, open, print};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directories of checkpoints, each made from the one before it.
    #[arg(required = true, num_args = 2..)]
    checkpoints: Vec<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The cost of one checkpoint for whoever has the one before it.
#[derive(Serialize)]
struct Step {
    checkpoint: String,
    /// All its files.
    whole_bytes: u64,
    /// The deltas of its weights, and whatever else has changed.
    delta_bytes: u64,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), CommandError> {
    let checkpoints: Vec<Checkpoint> = arguments
        .checkpoints
        .iter()
        .map(|dir| open(dir))
        .collect::<Result<_, _>>()?;
    let mut steps = Vec::new();
    for pair in checkpoints.windows(2) {
        let (base, new) = (&pair[0], &pair[1]);
        let mut delta_bytes = 0;
        for file in &new.manifest.files {
            delta_bytes += cost(base, new, file)?;
        }
        steps.push(Step {
            checkpoint: new.dir.display().to_string(),
            whole_bytes: new.manifest.total_bytes(),
            delta_bytes,
        });
        if let Some(step) = steps.last()
            && !arguments.json
        {
            print(line(&step.checkpoint, step.delta_bytes, step.whole_bytes))?;
        }
    }
    let sum = |bytes: fn(&Step) -> u64| steps.iter().map(bytes).sum::<u64>();
    let (delta, whole) = (sum(|step| step.delta_bytes), sum(|step| step.whole_bytes));
    match arguments.json {
        true => print(serde_json::json!({
            "steps": steps, "delta_bytes": delta, "whole_bytes": whole,
        }))?,
        false => print(line("all", delta, whole))?,
    }
    Ok(())
}

fn line(name: &str, delta: u64, whole: u64) -> String {
    let share = 100.0 * delta as f64 / whole.max(1) as f64;
    format!("{name}: {delta} of {whole} bytes, {share:.1} %")
}

/// Bytes of a file for whoever has the base.
fn cost(base: &Checkpoint, new: &Checkpoint, file: &FileEntry) -> Result<u64, CommandError> {
    let old = match base.manifest.file(&file.name) {
        Ok(old) if old.blake3 == file.blake3 => return Ok(0),
        Ok(_) if file.is_weights() => base.dir.join(&file.name),
        _ => return Ok(file.bytes),
    };
    let read = |path: PathBuf| {
        fs::read(&path).map_err(|source| CommandError::Read {
            path: path.clone(),
            source,
        })
    };
    let delta = delta::encode(&read(old)?, &read(new.dir.join(&file.name))?)?;
    Ok(file.bytes.min(delta.len() as u64))
}
