//! Content-addressed files, served in ranges that prove themselves.
//!
//! A blob's name is the blake3 hash of its content. Beside each file the store keeps the hash tree (bao's "outboard",
//! a sixteenth of the content), so that a range is served with the hashes that lead from it to the root.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use athanor_spec::{Digest, Fetch, Refusal};
use bao::encode::{Encoder, SliceExtractor};
use thiserror::Error;

/// Why a file did not become a blob.
#[derive(Debug, Error)]
#[error("cannot serve {path}: {source}")]
pub struct AddBlobError {
    /// The file that was read or written.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

#[derive(Clone, Debug)]
struct Blob {
    content: PathBuf,
    outboard: PathBuf,
}

/// Files by digest. Clones share the table; its methods do blocking I/O.
#[derive(Clone, Debug)]
pub struct BlobStore {
    directory: PathBuf,
    max_chunk_bytes: u32,
    table: Arc<RwLock<HashMap<Digest, Blob>>>,
}

impl BlobStore {
    /// An empty store that keeps its hash trees in `directory`, created if absent, and serves at most
    /// `max_chunk_bytes` of content at once.
    pub fn open(directory: &Path, max_chunk_bytes: u32) -> Result<Self, AddBlobError> {
        fs::create_dir_all(directory).map_err(|source| AddBlobError {
            path: directory.to_owned(),
            source,
        })?;
        Ok(Self {
            directory: directory.to_owned(),
            max_chunk_bytes,
            table: Arc::default(),
        })
    }

    /// Hashes a file and serves it from where it lies; it must not change from then on. Reads the whole file.
    pub fn add(&self, path: &Path) -> Result<Digest, AddBlobError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| AddBlobError { path, source }
        };
        let mut content = BufReader::new(File::open(path).map_err(at(path))?);
        // The name is known only once the tree is complete.
        let unfinished = self.directory.join(format!(".{:032x}.partial", unique()));
        let tree = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&unfinished)
            .map_err(at(&unfinished))?;
        let mut encoder = Encoder::new_outboard(tree);
        let encoded = io::copy(&mut content, &mut encoder).and_then(|_| encoder.finalize());
        let hash = match encoded {
            Ok(hash) => hash,
            Err(source) => {
                let _ = fs::remove_file(&unfinished);
                return Err(AddBlobError {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let digest = Digest(*hash.as_bytes());
        let outboard = self.directory.join(format!("{digest}.outboard"));
        fs::rename(&unfinished, &outboard).map_err(at(&outboard))?;
        let blob = Blob {
            content: path.to_owned(),
            outboard,
        };
        self.table
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(digest, blob);
        Ok(digest)
    }

    /// Stops serving a blob and removes its hash tree; the content stays where it lies.
    pub fn remove(&self, digest: &Digest) {
        if let Some(blob) = self
            .table
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(digest)
        {
            let _ = fs::remove_file(blob.outboard);
        }
    }

    /// Whether a blob is served.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.table
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(digest)
    }

    /// The verifiable slice for a fetch: the content of the range, as far as the blob goes, with the hashes that prove
    /// it. A range beyond the end is the proof of the blob's length.
    pub fn slice(&self, fetch: &Fetch) -> Result<Vec<u8>, Refusal> {
        if fetch.len > self.max_chunk_bytes {
            return Err(Refusal::OutOfBounds);
        }
        let blob = self
            .table
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&fetch.blob)
            .cloned();
        let blob = blob.ok_or(Refusal::UnknownBlob)?;
        extract(&blob, fetch).map_err(|error| {
            tracing::error!(%error, blob = %fetch.blob, path = %blob.content.display(), "a served blob is unreadable");
            Refusal::UnknownBlob
        })
    }
}

fn extract(blob: &Blob, fetch: &Fetch) -> io::Result<Vec<u8>> {
    let content = File::open(&blob.content)?;
    let outboard = File::open(&blob.outboard)?;
    let mut slice = Vec::with_capacity(fetch.len as usize + fetch.len as usize / 8);
    SliceExtractor::new_outboard(
        Buffered::new(content)?,
        Buffered::new(outboard)?,
        fetch.offset,
        fetch.len.into(),
    )
    .read_to_end(&mut slice)?;
    Ok(slice)
}

/// A file read through a buffer that survives seeks to where it already is: the extractor seeks before every node.
struct Buffered {
    inner: BufReader<File>,
    position: u64,
}

impl Buffered {
    fn new(mut file: File) -> io::Result<Self> {
        file.rewind()?;
        Ok(Self {
            inner: BufReader::with_capacity(16 * 1024, file),
            position: 0,
        })
    }
}

impl Read for Buffered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Buffered {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        if let SeekFrom::Start(position) = target
            && let Ok(offset) = i64::try_from(i128::from(position) - i128::from(self.position))
        {
            self.inner.seek_relative(offset)?;
            self.position = position;
        } else {
            self.position = self.inner.seek(target)?;
        }
        Ok(self.position)
    }
}

/// A number that no other call in this process or, for all practical purposes, any other process has drawn.
fn unique() -> u128 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    (u128::from(std::process::id()) << 96)
        | ((since_epoch.as_nanos() & u128::from(u64::MAX)) << 32)
        | u128::from(COUNTER.fetch_add(1, Ordering::Relaxed) as u32)
}
