//! The spec file: written, checked, shown.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use athanor_spec::{SubnetSpec, params::SpecError};
use serde_json::{Value, json};
use thiserror::Error;

/// Why a spec could not be written or read.
#[derive(Debug, Error)]
pub(crate) enum SpecFileError {
    /// A file is in the way.
    #[error("{path} exists already: remove it, or name another file")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; `athanor-subnet new` writes a spec to start from")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The spec is invalid.
    #[error("{path}: {source}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SpecError,
    },
}

/// Writes the default spec, comments included.
pub(crate) fn new(path: &Path) -> Result<String, SpecFileError> {
    let written = fs::File::create_new(path)
        .and_then(|mut file| file.write_all(SubnetSpec::DEFAULT_TOML.as_bytes()));
    let path = path.to_owned();
    match written {
        Ok(()) => Ok(format!(
            "wrote {}: edit it, then `athanor-subnet check {0}`",
            path.display()
        )),
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
            Err(SpecFileError::Exists { path })
        }
        Err(source) => Err(SpecFileError::Write { path, source }),
    }
}

/// Checks a spec.
pub(crate) fn check(path: &Path) -> Result<String, SpecFileError> {
    let spec = read(path)?;
    Ok(format!(
        "{} is valid, digest {}",
        path.display(),
        spec.digest()
    ))
}

/// Shows a spec's digest, and its values under their dotted keys.
pub(crate) fn show(path: &Path, as_json: bool) -> Result<String, SpecFileError> {
    let spec = read(path)?;
    let values = json!(spec);
    if as_json {
        return Ok(json!({ "digest": spec.digest(), "spec": values }).to_string());
    }
    let mut lines = vec![format!("digest = {}", spec.digest())];
    flatten("", &values, &mut lines);
    Ok(lines.join("\n"))
}

fn read(path: &Path) -> Result<SubnetSpec, SpecFileError> {
    let text = fs::read_to_string(path).map_err(|source| SpecFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    SubnetSpec::from_toml(&text).map_err(|source| SpecFileError::Invalid {
        path: path.to_owned(),
        source,
    })
}

fn flatten(prefix: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                let key = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                flatten(&key, value, lines);
            }
        }
        value => lines.push(format!("{prefix} = {value}")),
    }
}
