//! Getting a blob from a peer, verified as it arrives.
//!
//! The slices are asked for one after the other. Each proves itself against the blob's hash before a byte of it is
//! written; the content lands in `TO.partial` and gets its name only once it is complete and hashes to the digest.
//! A partial file of an earlier attempt is continued, not repeated.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use athanor_spec::{
    Digest, Fetch, Signed,
    wire::{BlobRequest, BlobResponse},
};
use bao::decode::SliceDecoder;
use thiserror::Error;

use crate::{AskError, Client, PeerAddress};

/// Time for one slice. A slice is small, so a peer that needs longer is not serving.
const SLICE_TIMEOUT: Duration = Duration::from_secs(10);
/// bao's chunk: the unit in which content is proved, and the grain at which a partial file is continued.
const CHUNK: u64 = 1024;
/// Bytes of a slice that hold the claimed length of the blob.
const HEADER: usize = 8;

/// Why a blob was not fetched.
#[derive(Debug, Error)]
pub enum FetchError {
    /// No slice came.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The slice does not prove itself against the digest: the peer is at fault.
    #[error("the bytes from offset {offset} are not those of blob {blob}")]
    BadSlice {
        /// The blob.
        blob: Digest,
        /// First byte of the slice.
        offset: u64,
    },
    /// The blob is larger than allowed; nothing was written.
    #[error("blob {blob} claims {bytes} bytes, more than the {bound} allowed")]
    TooLarge {
        /// The blob.
        blob: Digest,
        /// Its length as the peer claims.
        bytes: u64,
        /// The bound given.
        bound: u64,
    },
    /// The local file cannot be written.
    #[error("cannot write {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FetchError {
    /// Whether the peer is to blame.
    pub fn blames_peer(&self) -> bool {
        match self {
            Self::Ask(error) => error.blames_peer(),
            Self::BadSlice { .. } | Self::TooLarge { .. } => true,
            Self::Io { .. } => false,
        }
    }
}

impl Client {
    /// Fetches a blob of at most `max_bytes` into the file `to` and returns its length in bytes. `sign` wraps each
    /// request in a fresh envelope.
    pub async fn fetch(
        &self,
        peer: &PeerAddress,
        blob: Digest,
        max_bytes: u64,
        mut sign: impl FnMut(Fetch) -> Signed<Fetch>,
        to: &Path,
    ) -> Result<u64, FetchError> {
        let mut partial = Partial::open(to, blob, max_bytes).await?;
        loop {
            let offset = partial.len;
            let fetch = Fetch {
                blob,
                offset,
                len: self.limits.max_chunk_bytes,
            };
            let request = BlobRequest::Fetch(sign(fetch.clone()));
            let BlobResponse::Slice(slice) = self.blob(peer, request, SLICE_TIMEOUT).await? else {
                return Err(AskError::WrongKind.into());
            };
            match partial.accept(fetch, slice, max_bytes).await? {
                Progress::More(next) => partial = next,
                Progress::Done(bytes) => return Ok(bytes),
            }
        }
    }
}

/// Checks one slice and returns the blob's claimed length and the content of the range.
///
/// The length is proved together with the last chunk of the blob; before that it is a claim, used only as a bound.
pub(crate) fn verify(
    fetch: &Fetch,
    slice: &[u8],
    max_bytes: u64,
) -> Result<(u64, Vec<u8>), FetchError> {
    let bad = || FetchError::BadSlice {
        blob: fetch.blob,
        offset: fetch.offset,
    };
    let header: [u8; HEADER] = slice
        .get(..HEADER)
        .and_then(|h| h.try_into().ok())
        .ok_or_else(bad)?;
    let total = u64::from_le_bytes(header);
    if total > max_bytes {
        return Err(FetchError::TooLarge {
            blob: fetch.blob,
            bytes: total,
            bound: max_bytes,
        });
    }
    let expected = total.saturating_sub(fetch.offset).min(fetch.len.into());
    let mut decoder = SliceDecoder::new(
        slice,
        &blake3::Hash::from(fetch.blob.0),
        fetch.offset,
        fetch.len.into(),
    );
    let mut content = Vec::with_capacity(expected as usize);
    decoder.read_to_end(&mut content).map_err(|_| bad())?;
    if content.len() as u64 == expected && decoder.into_inner().is_empty() {
        Ok((total, content))
    } else {
        Err(bad())
    }
}

enum Progress {
    More(Partial),
    Done(u64),
}

/// The file that grows.
struct Partial {
    file: File,
    path: PathBuf,
    to: PathBuf,
    len: u64,
    /// Length claimed by the first slice; all slices must agree.
    total: Option<u64>,
    /// Whether the file began in an earlier attempt, whose bytes are only proved at the end.
    continued: bool,
}

impl Partial {
    async fn open(to: &Path, blob: Digest, max_bytes: u64) -> Result<Self, FetchError> {
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
                len,
                total: None,
                continued: len > 0,
            })
        })
        .await
    }

    async fn accept(
        mut self,
        fetch: Fetch,
        slice: Vec<u8>,
        max_bytes: u64,
    ) -> Result<Progress, FetchError> {
        blocking(move || {
            let (total, content) = verify(&fetch, &slice, max_bytes)?;
            if self.total.is_some_and(|known| known != total) {
                return Err(FetchError::BadSlice {
                    blob: fetch.blob,
                    offset: fetch.offset,
                });
            }
            self.total = Some(total);
            let io = |source| FetchError::Io {
                path: self.path.clone(),
                source,
            };
            self.file.write_all(&content).map_err(io)?;
            self.len += content.len() as u64;
            if self.len < total {
                return Ok(Progress::More(self));
            }
            if !hashes_to(&mut self.file, &fetch.blob).map_err(io)? {
                if !self.continued {
                    return Err(FetchError::BadSlice {
                        blob: fetch.blob,
                        offset: fetch.offset,
                    });
                }
                // The earlier attempt left bytes that are not the blob's: begin anew, trusting nothing.
                self.file.set_len(0).map_err(io)?;
                self.file.rewind().map_err(io)?;
                return Ok(Progress::More(Self {
                    len: 0,
                    continued: false,
                    ..self
                }));
            }
            self.file.sync_all().map_err(io)?;
            fs::rename(&self.path, &self.to).map_err(|source| FetchError::Io {
                path: self.to.clone(),
                source,
            })?;
            Ok(Progress::Done(total))
        })
        .await
    }
}

fn hashes_to(file: &mut File, blob: &Digest) -> io::Result<bool> {
    file.rewind()?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?;
    Ok(hasher.finalize().as_bytes() == &blob.0)
}

/// Runs file work off the async threads; a panic there is passed on.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FetchError> + Send + 'static,
) -> Result<T, FetchError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
