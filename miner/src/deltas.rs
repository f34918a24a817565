//! What changed between the checkpoints that a miner keeps: a shorter way to the newer one for who has the older.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use athanor_model::{
    Checkpoint,
    checkpoint::delta::{self, DeltaError},
};
use athanor_net::{AddBlobError, BlobStore};
use athanor_spec::{DeltaOffer, DeltaQuery, Digest};
use thiserror::Error;

/// A delta that saves less than this share of the file is not worth its place on disk.
const WORTH: f64 = 0.1;

/// The deltas that are served. Clones share the table; methods that make or drop deltas do blocking I/O.
#[derive(Clone, Debug)]
pub(crate) struct Deltas {
    directory: PathBuf,
    blobs: BlobStore,
    table: Arc<RwLock<HashMap<DeltaQuery, DeltaOffer>>>,
}

/// Why there is no delta; the file itself is served all the same.
#[derive(Debug, Error)]
enum MakeError {
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Delta(#[from] DeltaError),
    #[error(transparent)]
    Blob(#[from] AddBlobError),
}

impl Deltas {
    /// None yet: what an earlier run left in `directory` is removed, for its checkpoints may be gone.
    pub(crate) fn open(directory: PathBuf, blobs: BlobStore) -> io::Result<Self> {
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        Ok(Self {
            directory,
            blobs,
            table: Arc::default(),
        })
    }

    /// The delta that answers a query.
    pub(crate) fn find(&self, query: &DeltaQuery) -> Option<DeltaOffer> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.get(query).copied()
    }

    /// Makes the deltas that lead from the weights of one kept checkpoint to those of another.
    pub(crate) fn add(&self, base: &Checkpoint, new: &Checkpoint) {
        for file in &new.manifest.files {
            let query = match base.manifest.file(&file.name) {
                Ok(old) if file.is_weights() => DeltaQuery {
                    file: Digest(file.digest()),
                    base: Digest(old.digest()),
                },
                _ => continue,
            };
            if query.file == query.base || self.find(&query).is_some() {
                continue;
            }
            match self.make(&base.dir.join(&file.name), &new.dir.join(&file.name)) {
                Ok(Some(offer)) => {
                    tracing::debug!(
                        file = file.name,
                        bytes = offer.bytes,
                        of = file.bytes,
                        "a delta is served"
                    );
                    let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
                    table.insert(query, offer);
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "no delta is served for {}", file.name),
            }
        }
    }

    fn make(&self, base: &Path, new: &Path) -> Result<Option<DeltaOffer>, MakeError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| MakeError::Io { path, source }
        };
        let (base, new) = (
            fs::read(base).map_err(at(base))?,
            fs::read(new).map_err(at(new))?,
        );
        let delta = delta::encode(&base, &new)?;
        if delta.len() as f64 > (1.0 - WORTH) * new.len() as f64 {
            return Ok(None);
        }
        let path = self.directory.join(Digest::of(&delta).to_string());
        fs::write(&path, &delta).map_err(at(&path))?;
        Ok(Some(DeltaOffer {
            blob: self.blobs.add(&path)?,
            bytes: delta.len() as u64,
        }))
    }

    /// Stops serving the deltas from and to a file that is no longer kept.
    pub(crate) fn forget(&self, file: &Digest) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let gone = table.extract_if(|query, _| query.file == *file || query.base == *file);
        for (_, offer) in gone {
            self.blobs.remove(&offer.blob);
            let path = self.directory.join(offer.blob.to_string());
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "an old delta could not be removed");
            }
        }
    }
}
