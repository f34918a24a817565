//! Carry the small teacher inside the binary, so that a fresh machine needs no download.

use std::{fs, io, path::Path};

use athanor_model::Checkpoint;
use athanor_model::checkpoint::CheckpointError;
use thiserror::Error;

/// The files of the bundled checkpoint; the manifest comes last, since a directory with a manifest is complete.
const FILES: [(&str, &[u8]); 4] = [
    ("config.json", include_bytes!("../teacher/config.json")),
    (
        "model.safetensors",
        include_bytes!("../teacher/model.safetensors"),
    ),
    (
        "tokenizer.json",
        include_bytes!("../teacher/tokenizer.json"),
    ),
    ("manifest.json", include_bytes!("../teacher/manifest.json")),
];

/// Why the bundled teacher could not be unpacked.
#[derive(Debug, Error)]
pub enum BundledError {
    /// The directory cannot be written.
    #[error("cannot write the teacher to {path}: {source}")]
    Write {
        /// The file or directory.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// What was written does not verify.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// Writes the bundled teacher into a directory, which is created if need be, and opens it.
///
/// A directory that holds it already is only verified.
pub fn write_teacher(dir: &Path) -> Result<Checkpoint, BundledError> {
    if let Ok(present) = Checkpoint::open(dir)
        && present.digest() == digest()
    {
        return Ok(present);
    }
    let error = |path: &Path, source| BundledError::Write {
        path: path.display().to_string(),
        source,
    };
    fs::create_dir_all(dir).map_err(|source| error(dir, source))?;
    for (name, contents) in FILES {
        let path = dir.join(name);
        fs::write(&path, contents).map_err(|source| error(&path, source))?;
    }
    Ok(Checkpoint::open(dir)?)
}

/// The digest of the bundled teacher's manifest.
pub fn digest() -> [u8; 32] {
    *blake3::hash(FILES[3].1).as_bytes()
}

/// Size of the bundled files together, in bytes.
pub fn size() -> usize {
    FILES.iter().map(|(_, contents)| contents.len()).sum()
}

#[cfg(test)]
mod tests;
