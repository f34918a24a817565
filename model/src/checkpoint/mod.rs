//! A model on disk: a directory of files and the manifest that names every byte of them.
//!
//! The blake3 hash of `manifest.json` is the model's identity: it is what a miner commits on chain and what an
//! answer carries. Opening a checkpoint verifies the size and hash of every file and the digest of the tensors, so
//! that nothing that was tampered with is ever loaded.

pub mod delta;
mod import;
mod manifest;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::config::{Config, ConfigError, StopTokens};
use crate::huggingface;
use crate::tensors::{Precision, Tensors, TensorsError};
use crate::tokenizer::{Tokenizer, TokenizerError};
pub use import::ImportError;
pub use manifest::{
    FileEntry, MAX_FILES, MAX_MANIFEST_BYTES, Manifest, ManifestError, TrainingSummary,
};

/// Name of the manifest's file.
pub const MANIFEST: &str = "manifest.json";
/// Name of the configuration's file.
pub const CONFIG: &str = "config.json";
/// Name of the tokenizer's file.
pub const TOKENIZER: &str = "tokenizer.json";
/// Name of the weights' file, when they are in one.
pub const WEIGHTS: &str = "model.safetensors";

/// A checkpoint whose files were verified.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The directory that holds the files.
    pub dir: PathBuf,
    /// What the directory holds.
    pub manifest: Manifest,
    /// The model's shape.
    pub config: Config,
    digest: [u8; 32],
}

/// Where a checkpoint comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Provenance {
    /// Digest of the checkpoint that training started from.
    pub parent: Option<[u8; 32]>,
    /// How it was trained.
    pub training: TrainingSummary,
}

/// Why a checkpoint cannot be written, opened or loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The directory holds a model, but no manifest of it.
    #[error(
        "{} has no {MANIFEST}: `athanor-distill import --from {} --out DIR` makes a checkpoint of it",
        dir.display(),
        dir.display()
    )]
    NoManifest {
        /// The directory.
        dir: PathBuf,
    },
    /// The manifest itself is wrong.
    #[error("{MANIFEST}: {0}")]
    Manifest(#[from] ManifestError),
    /// A file has another size than the manifest says.
    #[error("{file} has {found} bytes, the manifest says {expected}")]
    Size {
        /// Name of the file.
        file: String,
        /// Its size.
        found: u64,
        /// The size in the manifest.
        expected: u64,
    },
    /// A file's contents are not those that the manifest names.
    #[error("{file} does not hash to what the manifest says")]
    Digest {
        /// Name of the file.
        file: String,
    },
    /// The tensors are not those that the manifest names.
    #[error("the tensors do not hash to what the manifest says")]
    TensorDigest,
    /// The same tensor is in two files.
    #[error("{file}: tensor {name} is also in another file")]
    Duplicate {
        /// Name of the second file.
        file: String,
        /// Name of the tensor.
        name: String,
    },
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file of weights is wrong.
    #[error("{file}: {source}")]
    Weights {
        /// Name of the file.
        file: String,
        /// What is wrong.
        source: TensorsError,
    },
    /// The weights do not fit the configuration.
    #[error("weights and configuration differ: {0}")]
    Tensors(#[from] TensorsError),
    /// The tokenizer is wrong.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The tokenizer knows more tokens than the model.
    #[error("the tokenizer has {tokenizer} tokens, the model {model}")]
    Vocabulary {
        /// Number of tokens in the tokenizer.
        tokenizer: usize,
        /// Number of tokens in the model.
        model: usize,
    },
}

impl Checkpoint {
    /// Writes a checkpoint into a directory, which is created if need be. The manifest is renamed into place last,
    /// so that a directory with a manifest is complete.
    pub fn write(
        dir: &Path,
        config: &Config,
        tensors: &Tensors,
        tokenizer_json: &[u8],
        provenance: &Provenance,
        precision: Precision,
    ) -> Result<Self, CheckpointError> {
        config.check()?;
        tensors.check(config)?;
        check_vocabulary(config, tokenizer_json)?;
        let weights = tensors.to_safetensors(precision);
        // The digest is of the values that a reader sees, which rounding may have changed.
        let stored = Tensors::from_safetensors(&weights)?;
        stored.check(config)?;
        fs::create_dir_all(dir).map_err(|source| io(dir, source))?;
        let config_json = config.to_json();
        let mut files = vec![
            store(dir, CONFIG, &config_json)?,
            store(dir, WEIGHTS, &weights)?,
            store(dir, TOKENIZER, tokenizer_json)?,
        ];
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let manifest = Manifest::new(
            files,
            stored.digest(),
            provenance.parent,
            provenance.training.clone(),
        )?;
        store(dir, MANIFEST, &manifest.to_bytes())?;
        Ok(Self {
            dir: dir.to_owned(),
            digest: manifest.digest(),
            manifest,
            config: config.clone(),
        })
    }

    /// Opens a checkpoint and verifies every file of it, down to the tensors' digest.
    pub fn open(dir: &Path) -> Result<Self, CheckpointError> {
        let path = dir.join(MANIFEST);
        if !path.exists() && dir.join(CONFIG).exists() {
            return Err(CheckpointError::NoManifest {
                dir: dir.to_owned(),
            });
        }
        let bytes = read_at_most(&path, MAX_MANIFEST_BYTES as u64)
            .map_err(|source| io(&path, source))?
            .ok_or(ManifestError::TooLarge)?;
        let manifest = Manifest::parse(&bytes)?;
        for entry in &manifest.files {
            let is_text = entry.name == CONFIG || entry.name == TOKENIZER;
            if !is_text && !entry.is_weights() {
                verify(dir, entry)?;
            }
        }
        let mut config = Config::parse(&read_verified(dir, manifest.file(CONFIG)?)?)?;
        if let Ok(generation) = manifest.file(huggingface::GENERATION) {
            config.take_generation(&read_verified(dir, generation)?)?;
        }
        check_vocabulary(&config, &read_verified(dir, manifest.file(TOKENIZER)?)?)?;
        let checkpoint = Self {
            dir: dir.to_owned(),
            digest: manifest.digest(),
            manifest,
            config,
        };
        checkpoint.tensors()?;
        Ok(checkpoint)
    }

    /// The blake3 hash of the manifest: the model's name on chain and in every answer.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Loads the weights. The files are verified again as they are read, since a directory may change.
    pub fn tensors(&self) -> Result<Tensors, CheckpointError> {
        let mut tensors = Tensors::new();
        for entry in &self.manifest.files {
            if !entry.is_weights() {
                continue;
            }
            let bytes = read_verified(&self.dir, entry)?;
            let part =
                Tensors::from_safetensors(&bytes).map_err(|source| CheckpointError::Weights {
                    file: entry.name.clone(),
                    source,
                })?;
            if let Some(name) = tensors.absorb(part) {
                return Err(CheckpointError::Duplicate {
                    file: entry.name.clone(),
                    name,
                });
            }
        }
        huggingface::drop_redundant(&self.config, &mut tensors);
        tensors.check(&self.config)?;
        if tensors.digest() != self.manifest.tensors_digest() {
            return Err(CheckpointError::TensorDigest);
        }
        Ok(tensors)
    }

    /// Loads the tokenizer, verified as it is read.
    pub fn tokenizer(&self) -> Result<Tokenizer, CheckpointError> {
        Ok(Tokenizer::from_json(&self.tokenizer_json()?)?)
    }

    /// The tokens that end its answers: those that its configuration names, or else the tokenizer's.
    pub fn stop_tokens(&self) -> Result<StopTokens, CheckpointError> {
        let named = self.config.eos_token_id.clone();
        named.or_try(|| Ok(self.tokenizer()?.eos_id()))
    }

    /// The contents of `tokenizer.json`, verified as they are read: what a student of this model is written with.
    pub fn tokenizer_json(&self) -> Result<Vec<u8>, CheckpointError> {
        read_verified(&self.dir, self.manifest.file(TOKENIZER)?)
    }
}

fn check_vocabulary(config: &Config, tokenizer_json: &[u8]) -> Result<(), CheckpointError> {
    let tokenizer = Tokenizer::from_json(tokenizer_json)?.vocab_size();
    if tokenizer > config.vocab_size {
        return Err(CheckpointError::Vocabulary {
            tokenizer,
            model: config.vocab_size,
        });
    }
    Ok(())
}

fn io(path: &Path, source: std::io::Error) -> CheckpointError {
    CheckpointError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Writes a file beside its final name, syncs it and renames it into place.
fn store(dir: &Path, name: &str, bytes: &[u8]) -> Result<FileEntry, CheckpointError> {
    let path = dir.join(name);
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".partial-")
            .tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        Ok(())
    };
    write().map_err(|source| io(&path, source))?;
    Ok(FileEntry {
        name: name.to_owned(),
        bytes: bytes.len() as u64,
        blake3: blake3::hash(bytes).to_hex().to_string(),
    })
}

/// The contents of a file, or `None` when it is longer than the limit.
fn read_at_most(path: &Path, limit: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(limit + 1)
        .read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

fn check_size(path: &Path, entry: &FileEntry) -> Result<(), CheckpointError> {
    let found = fs::metadata(path).map_err(|source| io(path, source))?.len();
    if found != entry.bytes {
        return Err(CheckpointError::Size {
            file: entry.name.clone(),
            found,
            expected: entry.bytes,
        });
    }
    Ok(())
}

/// Reads a file whose size and hash are those of its entry.
fn read_verified(dir: &Path, entry: &FileEntry) -> Result<Vec<u8>, CheckpointError> {
    let path = dir.join(&entry.name);
    check_size(&path, entry)?;
    let bytes = read_at_most(&path, entry.bytes).map_err(|source| io(&path, source))?;
    bytes
        .filter(|bytes| blake3::hash(bytes).to_hex().as_str() == entry.blake3)
        .ok_or_else(|| CheckpointError::Digest {
            file: entry.name.clone(),
        })
}

/// Checks a file's size and hash without keeping it in memory.
fn verify(dir: &Path, entry: &FileEntry) -> Result<(), CheckpointError> {
    let path = dir.join(&entry.name);
    check_size(&path, entry)?;
    let mut hasher = blake3::Hasher::new();
    fs::File::open(&path)
        .and_then(|file| hasher.update_reader(file).map(|_| ()))
        .map_err(|source| io(&path, source))?;
    if hasher.finalize().to_hex().as_str() != entry.blake3 {
        return Err(CheckpointError::Digest {
            file: entry.name.clone(),
        });
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
