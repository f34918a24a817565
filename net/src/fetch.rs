//! Getting a blob from peers, verified as it arrives.
//!
//! Each slice proves itself against the blob's hash before a byte of it is written; the content lands in `TO.partial` and
//! gets its name only once it is complete. A partial file of an earlier attempt is continued, not repeated. Several
//! slices are in flight at once, from one provider or from many.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use athanor_spec::{Digest, Fetch, Signed};
use bao::decode::SliceDecoder;
use thiserror::Error;

use crate::{AskError, Client, PeerAddress, partial::Partial, transfer::Transfer};

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
    /// None of several providers was left.
    #[error("no provider of blob {blob} is left: {}", list(dropped))]
    NoProvider {
        /// The blob.
        blob: Digest,
        /// Why each was dropped.
        dropped: Vec<Dropped>,
    },
}

fn list(dropped: &[Dropped]) -> String {
    let each = dropped
        .iter()
        .map(|dropped| format!("{} ({})", dropped.provider.addr, dropped.error));
    each.collect::<Vec<_>>().join(", ")
}

impl FetchError {
    /// Whether the peer is to blame; with several, whether all of them are.
    pub fn blames_peer(&self) -> bool {
        match self {
            Self::Ask(error) => error.blames_peer(),
            Self::BadSlice { .. } | Self::TooLarge { .. } => true,
            Self::Io { .. } => false,
            Self::NoProvider { dropped, .. } => dropped.iter().all(|d| d.error.blames_peer()),
        }
    }
}

/// A provider that failed or lied, and was asked no more.
#[derive(Debug)]
pub struct Dropped {
    /// Who.
    pub provider: PeerAddress,
    /// Why.
    pub error: FetchError,
}

/// A blob that was fetched.
#[derive(Debug)]
pub struct Fetched {
    /// Its length.
    pub bytes: u64,
    /// Providers that were dropped on the way.
    pub dropped: Vec<Dropped>,
}

impl Client {
    /// Fetches a blob of at most `max_bytes` into the file `to` and returns its length in bytes. `sign` wraps each
    /// request in a fresh envelope.
    pub async fn fetch(
        &self,
        peer: &PeerAddress,
        blob: Digest,
        max_bytes: u64,
        sign: impl FnMut(Fetch) -> Signed<Fetch>,
        to: &Path,
    ) -> Result<u64, FetchError> {
        let fetched = self.fetch_from(&[*peer], blob, max_bytes, sign, to).await;
        match fetched {
            Ok(fetched) => Ok(fetched.bytes),
            Err(FetchError::NoProvider { blob, mut dropped }) => Err(match dropped.pop() {
                Some(only) => only.error,
                None => FetchError::NoProvider { blob, dropped },
            }),
            Err(error) => Err(error),
        }
    }

    /// Fetches a blob from several providers at once, each giving ranges of it. One that fails, lies or stalls is dropped
    /// and named; the others go on.
    pub async fn fetch_from(
        &self,
        providers: &[PeerAddress],
        blob: Digest,
        max_bytes: u64,
        sign: impl FnMut(Fetch) -> Signed<Fetch>,
        to: &Path,
    ) -> Result<Fetched, FetchError> {
        let partial = Partial::open(to, blob, max_bytes).await?;
        Transfer::new(self.clone(), providers, blob, max_bytes, sign, partial)
            .run()
            .await
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
