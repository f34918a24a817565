//! `check`: is this a spec?

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::{
    file::{self, SpecFileError},
    outcome::Outcome,
};

/// Which spec.
#[derive(Args)]
pub(crate) struct CheckArgs {
    /// The spec
    #[arg(default_value = "subnet.toml")]
    file: PathBuf,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Checks a spec.
pub(crate) fn run(args: &CheckArgs) -> Result<Outcome, SpecFileError> {
    let spec = file::read(&args.file)?;
    let digest = spec.digest();
    Ok(Outcome::done(match args.json {
        true => json!({ "file": args.file, "digest": digest }).to_string(),
        false => format!("{} is valid, digest {digest}", args.file.display()),
    }))
}
