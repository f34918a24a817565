//! The file that grows while a blob is fetched.

use std::{
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use athanor_spec::Digest;

use crate::FetchError;

/// bao's chunk: the unit in which content is proved, and the grain at which a partial file is continued.
const CHUNK: u64 = 1024;

/// The first bytes of a blob, on disk.
pub(crate) struct Partial {
    file: File,
    path: PathBuf,
    to: PathBuf,
    blob: Digest,
    /// Bytes written.
    pub(crate) len: u64,
    /// Whether the file began in an earlier attempt, whose bytes are only proved at the end.
    continued: bool,
}

/// What became of a file that is complete by its length.
pub(crate) enum Finished {
    /// It has its name.
    Named,
    /// The earlier attempt left bytes that are not the blob's: it is begun anew, trusting nothing.
    BegunAnew(Partial),
}

impl Partial {
    /// Opens what an earlier attempt left, or a new file.
    pub(crate) async fn open(to: &Path, blob: Digest, max_bytes: u64) -> Result<Self, FetchError> {
        let to = to.to_owned();
        blocking(move || {
            let mut path = to.clone().into_os_string();
            // The digest in the name keeps a change of mind from continuing another blob.
            path.push(format!(".{}.partial", blob.short()));
            let path = PathBuf::from(path);
            let open = || {
                let mut file = File::options()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(&path)?;
                let found = file.metadata()?.len();
                // A crash may have torn the last write, and a file over the bound is not ours.
                let len = if found > max_bytes {
                    0
                } else {
                    found / CHUNK * CHUNK
                };
                file.set_len(len)?;
                file.seek(SeekFrom::Start(len))?;
                Ok((file, len))
            };
            let (file, len) = open().map_err(|source| FetchError::Io {
                path: path.clone(),
                source,
            })?;
            Ok(Self {
                file,
                path,
                to,
                blob,
                len,
                continued: len > 0,
            })
        })
        .await
    }

    /// Writes the next content, which has been proved.
    pub(crate) async fn append(mut self, content: Vec<Vec<u8>>) -> Result<Self, FetchError> {
        blocking(move || {
            for content in content {
                let written = self.file.write_all(&content);
                written.map_err(|source| self.failed(source))?;
                self.len += content.len() as u64;
            }
            Ok(self)
        })
        .await
    }

    /// Gives the file its name, after a look at what an earlier attempt left.
    pub(crate) async fn finish(mut self, total: u64) -> Result<Finished, FetchError> {
        blocking(move || {
            let right = !self.continued || (self.len == total && self.hashes_to_blob()?);
            if !right {
                let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
                emptied.map_err(|source| self.failed(source))?;
                (self.len, self.continued) = (0, false);
                return Ok(Finished::BegunAnew(self));
            }
            let named = self
                .file
                .sync_all()
                .and_then(|()| fs::rename(&self.path, &self.to));
            named.map_err(|source| self.failed(source))?;
            Ok(Finished::Named)
        })
        .await
    }

    fn hashes_to_blob(&mut self) -> Result<bool, FetchError> {
        let mut hasher = blake3::Hasher::new();
        let read = self
            .file
            .rewind()
            .and_then(|()| hasher.update_reader(&mut self.file).map(|_| ()));
        read.map_err(|source| self.failed(source))?;
        Ok(hasher.finalize().as_bytes() == &self.blob.0)
    }

    fn failed(&self, source: io::Error) -> FetchError {
        FetchError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

/// Runs work on files or hashes off the async threads; a panic there is passed on.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FetchError> + Send + 'static,
) -> Result<T, FetchError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
