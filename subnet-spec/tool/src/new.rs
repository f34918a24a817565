//! `new`: a commented spec to start from.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use athanor_spec::{SubnetSpec, params::SpecFault};
use clap::Args;
use serde_json::json;
use thiserror::Error;

use crate::{
    file::{self, SpecFileError},
    outcome::Outcome,
};

/// Where to, and what from.
#[derive(Args)]
pub(crate) struct NewArgs {
    /// Where to write it
    #[arg(default_value = "subnet.toml")]
    file: PathBuf,
    /// Another spec to take the values from, instead of the one that ships
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// A value to change, as in `subnet.netuid=2`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Why no spec was written.
#[derive(Debug, Error)]
pub(crate) enum NewError {
    /// A file is in the way.
    #[error("{} exists already: remove it, or name another file", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The spec to start from cannot be used.
    #[error(transparent)]
    From(#[from] SpecFileError),
    /// A value cannot be set.
    #[error("--set {key}: {source}")]
    Set {
        /// The key.
        key: String,
        /// Why not.
        source: SpecFault,
    },
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("it is no KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// Writes the spec.
pub(crate) fn run(args: &NewArgs) -> Result<Outcome, NewError> {
    let mut spec = match &args.from {
        Some(path) => file::read(path)?,
        None => SubnetSpec::shipped(),
    };
    for (key, value) in &args.set {
        spec = spec.with(key, value).map_err(|source| NewError::Set {
            key: key.clone(),
            source,
        })?;
    }
    let path = args.file.clone();
    let written = fs::File::create_new(&path)
        .and_then(|mut file| file.write_all(spec.to_commented_toml().as_bytes()));
    match written {
        Ok(()) if args.json => Ok(Outcome::done(
            json!({ "file": path, "digest": spec.digest() }).to_string(),
        )),
        Ok(()) => Ok(Outcome::done(format!(
            "wrote {}: edit it, then `athanor-subnet check {0}`",
            path.display()
        ))),
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
            Err(NewError::Exists { path })
        }
        Err(source) => Err(NewError::Write { path, source }),
    }
}
