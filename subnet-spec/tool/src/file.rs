//! Spec files.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use athanor_spec::{SubnetSpec, params::SpecError};
use thiserror::Error;

/// Longer than any spec: what is longer is not read.
const MAX_BYTES: u64 = 1 << 20;

/// Why a spec could not be read.
#[derive(Debug, Error)]
pub(crate) enum SpecFileError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; `athanor-subnet new` writes a spec to start from", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The spec is invalid.
    #[error("{}:{source}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        source: SpecError,
    },
}

/// Reads and checks a spec.
pub(crate) fn read(path: &Path) -> Result<SubnetSpec, SpecFileError> {
    let text = || -> io::Result<String> {
        let mut text = String::new();
        fs::File::open(path)?
            .take(MAX_BYTES)
            .read_to_string(&mut text)?;
        Ok(text)
    };
    let path = path.to_owned();
    let text = text().map_err(|source| SpecFileError::Read {
        path: path.clone(),
        source,
    })?;
    SubnetSpec::from_toml(&text).map_err(|source| SpecFileError::Invalid { path, source })
}
