//! `diff`: which numbers differ, and whose pay that moves.

use std::{fmt::Write as _, path::PathBuf};

use athanor_spec::params::{Difference, diff};
use clap::Args;
use serde_json::json;

use crate::{
    file::{self, SpecFileError},
    outcome::Outcome,
};

/// Which two specs.
#[derive(Args)]
pub(crate) struct DiffArgs {
    /// The spec of now
    before: PathBuf,
    /// The spec that may come
    after: PathBuf,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Compares two specs; status 1 if they differ.
pub(crate) fn run(args: &DiffArgs) -> Result<Outcome, SpecFileError> {
    let (before, after) = (file::read(&args.before)?, file::read(&args.after)?);
    let differences = diff(&before, &after);
    let text = match args.json {
        true => json!({
            "before": { "file": args.before, "digest": before.digest() },
            "after": { "file": args.after, "digest": after.digest() },
            "differences": differences,
        })
        .to_string(),
        false if differences.is_empty() => {
            format!("no value differs; both have the digest {}", before.digest())
        }
        false => {
            let mut text = format!("{} -> {}", before.digest(), after.digest());
            for difference in &differences {
                text.push_str(&told(difference));
            }
            text
        }
    };
    Ok(Outcome::judged(text, differences.is_empty()))
}

/// One difference in words.
pub(crate) fn told(it: &Difference) -> String {
    let mut text = format!("\n\n{}: {} -> {}", it.key, it.before, it.after);
    if !it.unit.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(text, " ({})", it.unit);
    }
    let _ = write!(text, "\n  {}", it.meaning);
    for (word, who) in [("gain", it.gains), ("lose", it.loses), ("note", it.note)] {
        if let Some(who) = who {
            let _ = write!(text, "\n  {word}: {who}");
        }
    }
    text
}
