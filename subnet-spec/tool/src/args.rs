//! The command line.

use clap::{Parser, Subcommand};

use crate::{
    check::CheckArgs, diff::DiffArgs, hyperparameters::HyperparametersArgs, new::NewArgs,
    publish::PublishArgs, register::RegisterArgs, show::ShowArgs, simulate::SimulateArgs,
    start::StartArgs,
};

/// The owner's workbench: write, check, compare and publish a subnet's spec.
///
/// Exit status 0: done, or all is well. 1: it was looked at, and something differs or is not well. 2: it could not be done;
/// standard error says why in one line.
#[derive(Parser)]
#[command(name = "athanor-subnet", version)]
pub(crate) struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write a commented spec to start from; never over an existing file
    New(NewArgs),
    /// Check a spec, key by key, with line and column of what is wrong; with --subtensor.network also against the chain
    Check(CheckArgs),
    /// Show a spec with its digest, or a subnet as the chain holds it
    Show(ShowArgs),
    /// Compare two specs: which numbers differ, and whose pay that moves
    Diff(DiffArgs),
    /// Simulate thousands of epochs of honest and dishonest participants: what each earns, one spec beside another
    Simulate(Box<SimulateArgs>),
    /// Register a new subnet; the coldkey pays, and the hotkey is the one that publishes
    Register(RegisterArgs),
    /// Start the emission of a subnet that is registered, once; its owner's coldkey signs
    Start(StartArgs),
    /// Announce a spec on chain with the block from which on it holds; the owner's hotkey signs
    Publish(PublishArgs),
    /// Compare the subnet's hyperparameters with what a spec needs, and set them; the owner's coldkey signs
    Hyperparameters(HyperparametersArgs),
    /// Print the reference of all keys in Markdown, as it stands in docs/spec.md
    Reference,
}
