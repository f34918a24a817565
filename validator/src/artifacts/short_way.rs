//! The short way to a file: what is cached, and what changed since.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use athanor_model::checkpoint::{
    FileEntry, MANIFEST, Manifest,
    delta::{self, DeltaError},
};
use athanor_net::{AskError, PeerAddress};
use athanor_spec::{DeltaQuery, Digest};
use thiserror::Error;

use super::{ArtifactError, Artifacts, read};

/// Time for a peer to say whether it serves a delta.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// A cached checkpoint that files may be made of. Only its manifest is believed: what is made of its files is hashed.
pub(super) struct Base {
    dir: PathBuf,
    manifest: Manifest,
}

impl Base {
    fn open(cache: &Path, digest: Digest) -> Option<Self> {
        let dir = cache.join(digest.to_string());
        let manifest = Manifest::parse(&read(&dir.join(MANIFEST)).ok()?).ok()?;
        (manifest.digest() == digest.0).then_some(Self { dir, manifest })
    }
}

/// The last checkpoint obtained from each peer: most likely the base of its next one.
pub(super) type Latest = Arc<Mutex<HashMap<Digest, Digest>>>;

/// Why the short way to a file was not open; the long one is.
#[derive(Debug, Error)]
enum ShortWayError {
    #[error(transparent)]
    Query(#[from] AskError),
    #[error(transparent)]
    Fetch(#[from] ArtifactError),
    #[error(transparent)]
    Delta(#[from] DeltaError),
    #[error("the peer's delta does not give the file")]
    AnotherFile,
    #[error("applying the delta panicked: a defect of the validator")]
    Panicked,
}

impl Artifacts {
    /// Cached checkpoints that a new one of this peer may be near to: its last one, and the parent that it names.
    pub(super) fn bases(&self, peer: &PeerAddress, manifest: &Manifest) -> Vec<Base> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let last = latest.get(&peer.peer_key).copied();
        drop(latest);
        let parent = manifest.parent_digest().map(Digest);
        let parent = parent.filter(|parent| Some(*parent) != last);
        let cached = |digest| Base::open(&self.dir, digest);
        last.into_iter().chain(parent).filter_map(cached).collect()
    }

    /// Makes a file of what is cached and of what changed, if that can be done; whether it was. What comes out has the
    /// hash that the manifest names, so that nothing rests on the peer's word.
    pub(super) async fn short_way(
        &self,
        peer: &PeerAddress,
        file: &FileEntry,
        bases: &[Base],
        to: &Path,
    ) -> bool {
        for base in bases {
            let Ok(old) = base.manifest.file(&file.name) else {
                continue;
            };
            let old_path = base.dir.join(&file.name);
            if old.blake3 == file.blake3 {
                if copied(old_path, file.digest(), to.to_owned()).await {
                    return true;
                }
                continue;
            }
            if !file.is_weights() {
                continue;
            }
            match self.apply_delta(peer, file, old, old_path, to).await {
                Ok(Some(bytes)) => {
                    tracing::debug!(
                        file = file.name,
                        bytes,
                        of = file.bytes,
                        "fetched as a delta"
                    );
                    return true;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, file = file.name, "no delta; fetching it whole")
                }
            }
        }
        false
    }

    /// Fetches and applies the delta that leads from a cached file to a new one: its bytes, or `None` if the peer has none.
    async fn apply_delta(
        &self,
        peer: &PeerAddress,
        file: &FileEntry,
        old: &FileEntry,
        old_path: PathBuf,
        to: &Path,
    ) -> Result<Option<u64>, ShortWayError> {
        let query = self.signer.sign(DeltaQuery {
            file: Digest(file.digest()),
            base: Digest(old.digest()),
        });
        let offer = self.client.delta(peer, query, QUERY_TIMEOUT).await?;
        let Some(offer) = offer.filter(|offer| offer.bytes < file.bytes) else {
            return Ok(None);
        };
        let fetched = to.with_extension("delta");
        self.fetch(peer, offer.blob, offer.bytes, &fetched).await?;
        let (wanted, length, to) = (file.digest(), file.bytes, to.to_owned());
        let _turn = self.turn().await;
        let applied = tokio::task::spawn_blocking(move || {
            let length = usize::try_from(length).map_err(|_| DeltaError::Damaged)?;
            let delta = read(&fetched)?;
            // Read or not, nobody needs it again; one that stays is only in the way.
            let _ = std::fs::remove_file(&fetched);
            let new = delta::apply(&read(&old_path)?, &delta, length)?;
            if Digest::of(&new).0 != wanted {
                return Err(ShortWayError::AnotherFile);
            }
            let disk = |path: &Path| {
                let path = path.to_owned();
                move |source| ArtifactError::Disk { path, source }
            };
            std::fs::write(&to, new).map_err(disk(&to))?;
            Ok(())
        });
        match applied.await {
            Ok(applied) => applied.map(|()| Some(offer.bytes)),
            Err(_) => Err(ShortWayError::Panicked),
        }
    }
}

/// Copies a file whose contents have this hash; whether it was. A damaged one of our own is not the miner's fault, so
/// it is found here and not where the new checkpoint is opened.
async fn copied(from: PathBuf, wanted: [u8; 32], to: PathBuf) -> bool {
    let copy = tokio::task::spawn_blocking(move || {
        hashes_to(&from, wanted) && std::fs::copy(&from, &to).is_ok() && hashes_to(&to, wanted)
    });
    matches!(copy.await, Ok(true))
}

/// Whether a file that an earlier attempt left is whole.
pub(super) async fn intact(path: PathBuf, wanted: [u8; 32]) -> bool {
    let looked = tokio::task::spawn_blocking(move || path.exists() && hashes_to(&path, wanted));
    matches!(looked.await, Ok(true))
}

fn hashes_to(path: &Path, wanted: [u8; 32]) -> bool {
    let mut hasher = blake3::Hasher::new();
    let read = std::fs::File::open(path).and_then(|file| hasher.update_reader(file).map(drop));
    read.is_ok() && *hasher.finalize().as_bytes() == wanted
}
