//! The command line of `athanor-distill`.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use athanor_distill::teacher::{self, Budget, TeacherConfig};
use clap::{Parser, Subcommand};

/// Teach a small model to imitate a large one.
#[derive(Parser)]
#[command(name = "athanor-distill", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a small teacher from the bundled corpus and the task families.
    Teacher(TeacherArguments),
}

#[derive(clap::Args)]
struct TeacherArguments {
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
    /// Tokens per step, half of them in each of two threads.
    #[arg(long, default_value_t = 3072)]
    tokens: usize,
    /// Share of the tokens that is text; the rest are task items.
    #[arg(long, default_value_t = 0.5)]
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
    #[arg(long, default_value_t = 120)]
    evaluate_every: u64,
}

fn main() -> ExitCode {
    let Command::Teacher(arguments) = Arguments::parse().command;
    let budget = match arguments.steps {
        Some(steps) => Budget::Steps(steps),
        None => Budget::Time(Duration::from_secs_f64(arguments.minutes * 60.0)),
    };
    let config = TeacherConfig {
        out: arguments.out,
        from: arguments.from,
        budget,
        seed: arguments.seed,
        lane_tokens: arguments.tokens / 2,
        text_share: arguments.text,
        rate: arguments.rate,
        width: arguments.width,
        layers: arguments.layers,
        evaluate_every: Duration::from_secs(arguments.evaluate_every),
    };
    let trained = teacher::train(&config, |progress| {
        println!(
            "step {:>6}  text {:.3}  answers {:.3}  {:>6.0} tokens/s  {:>4.0} s left",
            progress.step,
            progress.text_loss,
            progress.answer_loss,
            progress.tokens_per_second,
            progress.remaining
        );
        if let Some(found) = &progress.evaluation {
            let families: Vec<String> = found
                .families
                .iter()
                .map(|score| format!("{} {:.2}", score.family, score.exact))
                .collect();
            println!(
                "  held-out text {:.3}  answers {:.3}  {}",
                found.text_loss,
                found.answer_loss,
                families.join("  ")
            );
        }
    });
    match trained {
        Ok(checkpoint) => {
            println!(
                "wrote {} ({} steps)",
                checkpoint.dir.display(),
                checkpoint.manifest.training.steps
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("athanor-distill: {error}");
            ExitCode::from(2)
        }
    }
}
