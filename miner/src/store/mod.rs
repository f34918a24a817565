//! The checkpoints that a miner keeps: a directory per digest, never changed, served file by file.

use std::{
    collections::{HashSet, VecDeque},
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use athanor_model::{
    Checkpoint,
    checkpoint::{CheckpointError, MANIFEST},
};
use athanor_net::{AddBlobError, BlobStore};
use athanor_spec::{Digest, SubnetSpec};
use thiserror::Error;

mod garbage;

pub(crate) use garbage::Budget;
use garbage::Present;

use crate::deltas::Deltas;

/// Why a checkpoint cannot be served on this subnet.
#[derive(Debug, Error)]
pub enum CheckpointRefused {
    /// A file is absent, damaged or not what the manifest says.
    #[error("the checkpoint {dir} cannot be used: {source}; fetch or write it anew", dir = dir.display())]
    Damaged {
        /// The directory.
        dir: PathBuf,
        /// What is wrong.
        source: CheckpointError,
    },
    /// Another digest than the one asked for.
    #[error("the checkpoint {dir} has digest {found}, not {expected}: give the directory of the right one", dir = dir.display())]
    WrongDigest {
        /// The directory.
        dir: PathBuf,
        /// The digest asked for.
        expected: Digest,
        /// Its digest.
        found: Digest,
    },
    /// Validators would not fetch it.
    #[error(
        "the checkpoint has {bytes} bytes, but the subnet's spec allows {bound}: give a smaller one"
    )]
    TooLarge {
        /// All its files in bytes.
        bytes: u64,
        /// The spec's bound.
        bound: u64,
    },
    /// Its token ids mean something else than the subnet's.
    #[error(
        "the checkpoint has a vocabulary of {found}, but the subnet's spec says {expected}: give one that was distilled from the subnet's teacher"
    )]
    Vocabulary {
        /// Its vocabulary.
        found: usize,
        /// The spec's vocabulary.
        expected: u32,
    },
    /// Prompt and answer at the spec's bounds would not fit.
    #[error(
        "the checkpoint's context of {found} tokens is below the {expected} that the subnet's spec asks for"
    )]
    Context {
        /// Its context in tokens.
        found: usize,
        /// Prompt and answer bounds of the spec, in tokens.
        expected: usize,
    },
    /// Copying or hashing it failed.
    #[error("cannot keep a checkpoint in {path}: {source}", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<AddBlobError> for CheckpointRefused {
    fn from(error: AddBlobError) -> Self {
        Self::Io {
            path: error.path,
            source: error.source,
        }
    }
}

impl CheckpointRefused {
    /// Refuses a checkpoint that does not fit the subnet.
    pub fn check(checkpoint: &Checkpoint, spec: &SubnetSpec) -> Result<(), Self> {
        let bytes = checkpoint.manifest.total_bytes();
        let bound = spec.limits.max_artifact_bytes;
        if bytes > bound {
            return Err(Self::TooLarge { bytes, bound });
        }
        let manifest = checkpoint.manifest.to_bytes().len() as u64;
        if manifest > u64::from(spec.limits.max_manifest_bytes) {
            let bound = spec.limits.max_manifest_bytes.into();
            return Err(Self::TooLarge {
                bytes: manifest,
                bound,
            });
        }
        let (found, expected) = (checkpoint.config.vocab_size, spec.subnet.vocab_size);
        if found != expected as usize {
            return Err(Self::Vocabulary { found, expected });
        }
        let expected = (spec.limits.max_prompt_tokens + spec.limits.max_new_tokens) as usize;
        let found = checkpoint.config.max_position_embeddings;
        if found < expected {
            return Err(Self::Context { found, expected });
        }
        Ok(())
    }
}

/// The newest checkpoints that may be on trial: one that is being tried, and one whose trial a rollback has overtaken.
const ON_TRIAL: usize = 2;

/// A checkpoint that is kept and fetchable.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) checkpoint: Checkpoint,
    blobs: Vec<Digest>,
}

impl Kept {
    pub(crate) fn digest(&self) -> Digest {
        Digest(self.checkpoint.digest())
    }
}

/// Where a miner with this data directory keeps its checkpoints, each in a directory named by its digest.
pub fn checkpoints(data_dir: &Path) -> PathBuf {
    data_dir.join("checkpoints")
}

/// The directory of checkpoints. Its methods do blocking I/O.
#[derive(Debug)]
pub(crate) struct Store {
    directory: PathBuf,
    blobs: BlobStore,
    deltas: Deltas,
    kept: VecDeque<Kept>,
}

impl Store {
    /// The checkpoints below a miner's data directory.
    pub(crate) fn open(data_dir: &Path, blobs: BlobStore) -> Result<Self, CheckpointRefused> {
        let directory = checkpoints(data_dir);
        fs::create_dir_all(&directory).map_err(at(&directory))?;
        remove_unfinished(&directory);
        let deltas = directory.join(".deltas");
        let deltas = Deltas::open(deltas.clone(), blobs.clone()).map_err(at(&deltas))?;
        Ok(Self {
            directory,
            blobs,
            deltas,
            kept: VecDeque::new(),
        })
    }

    fn dir_of(&self, digest: Digest) -> PathBuf {
        self.directory.join(digest.to_string())
    }

    /// What changed between the checkpoints that are kept.
    pub(crate) fn deltas(&self) -> Deltas {
        self.deltas.clone()
    }

    /// Opens the checkpoint with this digest, if an earlier run kept it and it is undamaged.
    pub(crate) fn find(&self, digest: Digest) -> Option<Checkpoint> {
        let checkpoint = Checkpoint::open(&self.dir_of(digest)).ok()?;
        (checkpoint.digest() == digest.0).then_some(checkpoint)
    }

    /// Verifies a checkpoint wherever it lies, copies it in, and makes it fetchable, in the short way too for who has
    /// the kept checkpoint `base`.
    pub(crate) fn adopt(
        &mut self,
        dir: &Path,
        spec: &SubnetSpec,
        base: Option<Digest>,
    ) -> Result<Kept, CheckpointRefused> {
        let source = open(dir)?;
        CheckpointRefused::check(&source, spec)?;
        let digest = Digest(source.digest());
        let checkpoint = match self.find(digest) {
            Some(checkpoint) => checkpoint,
            None => self.copy(&source, digest)?,
        };
        let mut blobs = vec![self.blobs.add(&checkpoint.dir.join(MANIFEST))?];
        for file in &checkpoint.manifest.files {
            blobs.push(self.blobs.add(&checkpoint.dir.join(&file.name))?);
        }
        let base = self.kept.iter().find(|kept| Some(kept.digest()) == base);
        if let Some(base) = base {
            self.deltas.add(&base.checkpoint, &checkpoint);
        }
        let kept = Kept { checkpoint, blobs };
        self.kept.retain(|other| other.digest() != digest);
        self.kept.push_back(kept.clone());
        Ok(kept)
    }

    /// Drops the oldest checkpoints, of earlier runs too, until the rest keeps to the budget, but none of `needed` and none
    /// that may be on trial: nobody needs those yet, and the next that is committed is one of them.
    pub(crate) fn prune(&mut self, needed: &[Digest], budget: Budget) {
        let on_trial = self.kept.iter().rev().take(ON_TRIAL).map(Kept::digest);
        let needed: Vec<Digest> = needed.iter().copied().chain(on_trial).collect();
        for checkpoint in garbage::victims(&self.present(), &needed, budget) {
            let kept = self.kept.iter().position(|k| k.digest() == checkpoint);
            match kept.and_then(|index| self.kept.remove(index)) {
                Some(dropped) => self.drop_files(&dropped),
                None => remove(&self.dir_of(checkpoint)),
            }
        }
    }

    /// Bytes of all checkpoints on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.present().iter().map(|present| present.bytes).sum()
    }

    /// What lies in the directory: what earlier runs left by age, then what this one kept, in its order.
    fn present(&self) -> Vec<Present> {
        let mut left: Vec<(SystemTime, Present)> = Vec::new();
        for entry in fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = entry.file_name();
            let Some(checkpoint) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if self.kept.iter().any(|kept| kept.digest() == checkpoint) {
                continue;
            }
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let bytes = directory_bytes(&entry.path());
            let age = modified.unwrap_or(SystemTime::UNIX_EPOCH);
            left.push((age, Present { checkpoint, bytes }));
        }
        left.sort_by_key(|(age, present)| (*age, present.checkpoint.0));
        let kept = self.kept.iter().map(|kept| Present {
            checkpoint: kept.digest(),
            bytes: kept.checkpoint.manifest.total_bytes(),
        });
        left.into_iter()
            .map(|(_, present)| present)
            .chain(kept)
            .collect()
    }

    fn drop_files(&self, dropped: &Kept) {
        // Checkpoints share files, such as the tokenizer's; the newest copy is the one that is served.
        let shared: HashSet<&Digest> = self.kept.iter().flat_map(|kept| &kept.blobs).collect();
        for blob in dropped.blobs.iter().filter(|blob| !shared.contains(blob)) {
            self.blobs.remove(blob);
            self.deltas.forget(blob);
        }
        for kept in &self.kept {
            for file in &kept.checkpoint.manifest.files {
                if dropped.blobs.contains(&Digest(file.digest())) {
                    // Point the shared blob at a copy that stays.
                    if let Err(error) = self.blobs.add(&kept.checkpoint.dir.join(&file.name)) {
                        tracing::error!(%error, "a kept checkpoint has become unreadable");
                    }
                }
            }
        }
        remove(&dropped.checkpoint.dir);
    }

    fn copy(&self, source: &Checkpoint, digest: Digest) -> Result<Checkpoint, CheckpointRefused> {
        let unfinished = self.directory.join(format!(".{digest}"));
        let finished = self.dir_of(digest);
        for leftover in [&unfinished, &finished] {
            if leftover.exists() {
                fs::remove_dir_all(leftover).map_err(at(leftover))?;
            }
        }
        fs::create_dir(&unfinished).map_err(at(&unfinished))?;
        let names = source.manifest.files.iter().map(|file| file.name.as_str());
        for name in names.chain([MANIFEST]) {
            let from = source.dir.join(name);
            fs::copy(&from, unfinished.join(name)).map_err(at(&from))?;
        }
        fs::rename(&unfinished, &finished).map_err(at(&finished))?;
        open(&finished)
    }
}

/// Removes copies that a kill cut off.
fn remove_unfinished(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let digest = name.to_str().and_then(|name| name.strip_prefix('.'));
        if digest.is_some_and(|digest| digest.parse::<Digest>().is_ok()) {
            remove(&entry.path());
        }
    }
}

/// Removes a directory. One that cannot be removed costs nothing but its bytes.
pub(crate) fn remove(dir: &Path) {
    if let Err(error) = fs::remove_dir_all(dir) {
        tracing::warn!(%error, dir = %dir.display(), "an old directory could not be removed");
    }
}

/// Bytes of all files below a directory; what goes away meanwhile counts nothing.
pub(crate) fn directory_bytes(directory: &Path) -> u64 {
    let mut bytes: u64 = 0;
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            // Of the link, if it is one: what it leads to lies elsewhere.
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => open.push(entry.path()),
                Ok(metadata) => bytes = bytes.saturating_add(metadata.len()),
                Err(_) => {}
            }
        }
    }
    bytes
}

/// Opens and verifies a checkpoint.
pub(crate) fn open(dir: &Path) -> Result<Checkpoint, CheckpointRefused> {
    Checkpoint::open(dir).map_err(|source| CheckpointRefused::Damaged {
        dir: dir.to_owned(),
        source,
    })
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> CheckpointRefused + use<> {
    let path = path.to_owned();
    move |source| CheckpointRefused::Io { path, source }
}
