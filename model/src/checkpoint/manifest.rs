//! The list of a checkpoint's files with their hashes, in one canonical encoding.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{CONFIG, MANIFEST, TOKENIZER};

/// The largest manifest that is read, in bytes.
pub const MAX_MANIFEST_BYTES: usize = 64 << 10;
/// The most files that a checkpoint may have.
pub const MAX_FILES: usize = 64;
/// The longest file name, in bytes.
const MAX_NAME: usize = 128;
/// Version of the manifest's layout.
const VERSION: u32 = 1;

/// What a checkpoint consists of. Only one sequence of bytes encodes a manifest, so that the digest names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the layout.
    pub version: u32,
    /// The files in the order of their names.
    pub files: Vec<FileEntry>,
    /// Hash of the tensors' contents (`Tensors::digest`), lower-case hex.
    pub tensors: String,
    /// Digest of the checkpoint that training started from, lower-case hex.
    pub parent: Option<String>,
    /// How the model was trained, as its owner says.
    pub training: TrainingSummary,
}

/// One file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Plain file name.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Hash of the contents, lower-case hex.
    pub blake3: String,
}

/// How a model was trained. Nothing here is verified, and nothing here carries pay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSummary {
    /// Optimiser steps since random weights, parents included.
    pub steps: u64,
    /// Tokens seen over those steps.
    pub tokens: u64,
    /// Mean loss on held-out data in nats per token; zero when none was measured.
    pub heldout_loss: f32,
}

/// Why a manifest is refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Longer than is read.
    #[error("longer than {MAX_MANIFEST_BYTES} bytes")]
    TooLarge,
    /// Not JSON of the manifest's form.
    #[error("not a manifest: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version of the layout.
    #[error("version {found} is not version {VERSION}")]
    Version {
        /// The version found.
        found: u32,
    },
    /// Too many files.
    #[error("{found} files; at most {MAX_FILES} are allowed")]
    TooManyFiles {
        /// The number of files found.
        found: usize,
    },
    /// A name with a directory in it, a hidden file, or a character that some file system treats in its own way.
    #[error("{name:?} is not a plain file name")]
    FileName {
        /// The name.
        name: String,
    },
    /// Names that are not strictly ascending.
    #[error("{name:?} is not in the order of names, or twice in the list")]
    Order {
        /// The first name out of order.
        name: String,
    },
    /// A hash that is not 64 lower-case hex digits.
    #[error("the hash of {of} is not 64 lower-case hex digits")]
    Hash {
        /// What the hash is of.
        of: String,
    },
    /// A file that every checkpoint has is not in the list.
    #[error("{name} is not in the list of files")]
    Missing {
        /// Name of the file.
        name: String,
    },
    /// A training summary that is not a number.
    #[error("the held-out loss is not a finite number")]
    Loss,
    /// The right contents in another than the canonical encoding.
    #[error("not in the canonical encoding")]
    NotCanonical,
}

impl Manifest {
    /// A manifest of files in the order of their names.
    pub fn new(
        files: Vec<FileEntry>,
        tensors: [u8; 32],
        parent: Option<[u8; 32]>,
        training: TrainingSummary,
    ) -> Result<Self, ManifestError> {
        let manifest = Self {
            version: VERSION,
            files,
            tensors: to_hex(tensors),
            parent: parent.map(to_hex),
            training,
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// Reads a manifest and checks everything that can be checked without the files.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge);
        }
        let manifest: Self = serde_json::from_slice(bytes)?;
        manifest.check()?;
        if manifest.to_bytes() != bytes {
            return Err(ManifestError::NotCanonical);
        }
        Ok(manifest)
    }

    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and finite numbers serialise")
    }

    /// The blake3 hash of the canonical encoding.
    pub fn digest(&self) -> [u8; 32] {
        blake3::hash(&self.to_bytes()).into()
    }

    /// Hash of the tensors' contents.
    pub fn tensors_digest(&self) -> [u8; 32] {
        from_hex(&self.tensors).expect("check saw 64 hex digits")
    }

    /// Digest of the parent.
    pub fn parent_digest(&self) -> Option<[u8; 32]> {
        self.parent
            .as_deref()
            .map(|hex| from_hex(hex).expect("check saw 64 hex digits"))
    }

    /// Sum of all files' sizes.
    pub fn total_bytes(&self) -> u64 {
        self.files
            .iter()
            .fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// The entry of that name.
    pub fn file(&self, name: &str) -> Result<&FileEntry, ManifestError> {
        self.files
            .iter()
            .find(|file| file.name == name)
            .ok_or_else(|| ManifestError::Missing { name: name.into() })
    }

    fn check(&self) -> Result<(), ManifestError> {
        if self.version != VERSION {
            return Err(ManifestError::Version {
                found: self.version,
            });
        }
        if self.files.len() > MAX_FILES {
            return Err(ManifestError::TooManyFiles {
                found: self.files.len(),
            });
        }
        for file in &self.files {
            if !is_plain(&file.name) {
                return Err(ManifestError::FileName {
                    name: file.name.clone(),
                });
            }
            check_hash(&file.blake3, &file.name)?;
        }
        if let Some(pair) = self.files.windows(2).find(|p| p[0].name >= p[1].name) {
            return Err(ManifestError::Order {
                name: pair[1].name.clone(),
            });
        }
        check_hash(&self.tensors, "the tensors")?;
        if let Some(parent) = &self.parent {
            check_hash(parent, "the parent")?;
        }
        if !self.training.heldout_loss.is_finite() {
            return Err(ManifestError::Loss);
        }
        self.file(CONFIG)?;
        self.file(TOKENIZER)?;
        if !self.files.iter().any(FileEntry::is_weights) {
            return Err(ManifestError::Missing {
                name: "*.safetensors".into(),
            });
        }
        Ok(())
    }
}

impl FileEntry {
    /// Whether the file holds tensors.
    pub fn is_weights(&self) -> bool {
        self.name.ends_with(".safetensors")
    }

    /// Hash of the contents.
    pub fn digest(&self) -> [u8; 32] {
        from_hex(&self.blake3).expect("a manifest's check saw 64 hex digits")
    }
}

/// Whether a name is safe to join to a directory on every platform.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with('.')
        && name != MANIFEST
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn check_hash(hex: &str, of: &str) -> Result<(), ManifestError> {
    match from_hex(hex) {
        Some(_) => Ok(()),
        None => Err(ManifestError::Hash { of: of.into() }),
    }
}

fn to_hex(bytes: [u8; 32]) -> String {
    blake3::Hash::from_bytes(bytes).to_hex().to_string()
}

fn from_hex(hex: &str) -> Option<[u8; 32]> {
    let is_lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if !hex.bytes().all(is_lower) {
        return None;
    }
    blake3::Hash::from_hex(hex).ok().map(Into::into)
}
