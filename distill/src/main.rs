//! The command line of `athanor-distill`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod command;

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
    Teacher(command::teacher::Arguments),
    /// Distil a teacher into a student until stopped, publishing what proves better.
    Train(command::train::Arguments),
    /// Make a checkpoint of a Hugging Face directory.
    Import(command::import::Arguments),
    /// Write down what a teacher says, once, for any number of students.
    Record(command::record::Arguments),
    /// Measure a checkpoint on text and tasks that training never saw.
    Eval(command::eval::Arguments),
    /// Tell what a series of checkpoints costs on the wire for whoever follows it.
    Delta(command::delta::Arguments),
    /// Let a model continue a text or answer a question, token by token.
    Generate(command::generate::Arguments),
    /// Print the logits of a few tokens, for comparison with other programs.
    Logits(command::logits::Arguments),
}

fn main() -> ExitCode {
    let result = match athanor_cli::parse::<Arguments>().command {
        Command::Teacher(arguments) => command::teacher::run(arguments),
        Command::Train(arguments) => command::train::run(arguments),
        Command::Import(arguments) => command::import::run(arguments),
        Command::Record(arguments) => command::record::run(arguments),
        Command::Eval(arguments) => command::eval::run(arguments),
        Command::Delta(arguments) => command::delta::run(arguments),
        Command::Generate(arguments) => command::generate::run(arguments),
        Command::Logits(arguments) => command::logits::run(arguments),
    };
    athanor_cli::report(result)
}
