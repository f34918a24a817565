//! Committed checkpoints, fetched by digest, verified chunk by chunk, and kept in a bounded cache.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use athanor_model::checkpoint::{
    Checkpoint, CheckpointError, FileEntry, MANIFEST, Manifest, ManifestError,
    delta::{self, DeltaError},
};
use athanor_net::{AskError, Client, FetchError, PeerAddress};
use athanor_spec::{DeltaQuery, Digest, params::Limits};
use thiserror::Error;

use crate::signer::Signer;

/// Time for a peer to say whether it serves a delta.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a committed checkpoint is not at hand.
#[derive(Debug, Error)]
pub enum ArtifactError {
    /// The transfer failed or did not verify.
    #[error("the transfer failed: {0}")]
    Fetch(#[from] FetchError),
    /// The manifest has the committed digest but is not a manifest.
    #[error("the manifest is not valid: {0}")]
    Manifest(#[from] ManifestError),
    /// The files together break the spec's bound.
    #[error("the checkpoint has {bytes} bytes, the spec allows {limit}")]
    TooLarge {
        /// Announced size.
        bytes: u64,
        /// `limits.max_artifact_bytes`.
        limit: u64,
    },
    /// The files verify but are not a checkpoint that can be run.
    #[error("the checkpoint cannot be loaded: {0}")]
    Open(#[from] CheckpointError),
    /// The model does not speak the subnet's vocabulary.
    #[error("the checkpoint's vocabulary has {found} tokens, the subnet's {expected}")]
    Vocabulary {
        /// Of the checkpoint.
        found: usize,
        /// Of the subnet.
        expected: usize,
    },
    /// The local disk failed.
    #[error("the artifact cache failed at {}: {source}", path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
}

impl ArtifactError {
    /// Whether the miner is to blame: what it committed to can never be served. Everything else is neutral, and unpaid.
    pub fn is_miners_fault(&self) -> bool {
        match self {
            Self::Manifest(_) | Self::TooLarge { .. } | Self::Open(_) | Self::Vocabulary { .. } => {
                true
            }
            Self::Fetch(FetchError::BadSlice { .. } | FetchError::TooLarge { .. }) => true,
            Self::Fetch(_) | Self::Disk { .. } => false,
        }
    }
}

/// The cache of fetched checkpoints.
#[derive(Clone)]
pub struct Artifacts {
    dir: PathBuf,
    client: Client,
    signer: Signer,
    limits: Limits,
    vocab_size: u32,
    /// The last checkpoint obtained from each peer: most likely the base of its next one.
    latest: Arc<Mutex<HashMap<Digest, Digest>>>,
    fetched: Arc<AtomicU64>,
    obtained: Arc<AtomicU64>,
}

/// What checkpoints cost on the wire since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes of content that were fetched.
    pub fetched: u64,
    /// Bytes of the files that came of it.
    pub obtained: u64,
}

/// A cached checkpoint that files may be made of. Only its manifest is believed: what is made of its files is hashed.
struct Base {
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
}

impl Artifacts {
    /// A cache in `dir`, which is created when absent.
    pub fn new(
        dir: PathBuf,
        client: Client,
        signer: Signer,
        limits: Limits,
        vocab_size: u32,
    ) -> Result<Self, ArtifactError> {
        std::fs::create_dir_all(&dir).map_err(|source| ArtifactError::Disk {
            path: dir.clone(),
            source,
        })?;
        Ok(Self {
            dir,
            client,
            signer,
            limits,
            vocab_size,
            latest: Arc::default(),
            fetched: Arc::default(),
            obtained: Arc::default(),
        })
    }

    /// Where the checkpoint with this digest lies, if it is in the cache.
    pub(crate) fn home(&self, digest: Digest) -> Option<PathBuf> {
        let home = self.dir.join(digest.to_string());
        home.is_dir().then_some(home)
    }

    /// The checkpoint with this digest, from the cache or from `peer`.
    pub async fn obtain(
        &self,
        peer: &PeerAddress,
        digest: Digest,
    ) -> Result<Arc<Checkpoint>, ArtifactError> {
        let home = self.dir.join(digest.to_string());
        if let Some(checkpoint) = self.open_cached(&home, digest) {
            return Ok(Arc::new(checkpoint));
        }
        let incoming = tempfile::Builder::new()
            .prefix("incoming-")
            .tempdir_in(&self.dir)
            .map_err(|source| ArtifactError::Disk {
                path: self.dir.clone(),
                source,
            })?;
        let manifest_path = incoming.path().join(MANIFEST);
        self.fetch(
            peer,
            digest,
            u64::from(self.limits.max_manifest_bytes),
            &manifest_path,
        )
        .await?;
        let bytes = read(&manifest_path)?;
        let manifest = Manifest::parse(&bytes)?;
        let total = manifest.total_bytes();
        if total > self.limits.max_artifact_bytes {
            return Err(ArtifactError::TooLarge {
                bytes: total,
                limit: self.limits.max_artifact_bytes,
            });
        }
        let bases = self.bases(peer, &manifest);
        for file in &manifest.files {
            let to = incoming.path().join(&file.name);
            if !self.short_way(peer, file, &bases, &to).await {
                self.fetch(peer, Digest(file.digest()), file.bytes, &to)
                    .await?;
            }
        }
        self.check_vocabulary(&Checkpoint::open(incoming.path())?)?;
        let incoming = incoming.keep();
        // Another round may have fetched the same artifact meanwhile: then its copy is as good.
        if std::fs::rename(&incoming, &home).is_err() {
            std::fs::remove_dir_all(&incoming).map_err(|source| ArtifactError::Disk {
                path: incoming,
                source,
            })?;
        }
        self.obtained.fetch_add(total, Ordering::Relaxed);
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.insert(peer.peer_key, digest);
        drop(latest);
        Ok(Arc::new(Checkpoint::open(&home)?))
    }

    /// Cached checkpoints that a new one of this peer may be near to: its last one, and the parent that it names.
    fn bases(&self, peer: &PeerAddress, manifest: &Manifest) -> Vec<Base> {
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
    async fn short_way(
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
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    /// What checkpoints have cost on the wire.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            fetched: self.fetched.load(Ordering::Relaxed),
            obtained: self.obtained.load(Ordering::Relaxed),
        }
    }

    /// Removes the checkpoints that were not used since `oldest`.
    pub fn prune(&self, oldest: SystemTime) -> Result<(), ArtifactError> {
        let disk = |source| ArtifactError::Disk {
            path: self.dir.clone(),
            source,
        };
        for entry in std::fs::read_dir(&self.dir).map_err(disk)? {
            let entry = entry.map_err(disk)?;
            let used = entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .map_err(disk)?;
            if used < oldest && entry.path().is_dir() {
                std::fs::remove_dir_all(entry.path()).map_err(disk)?;
            }
        }
        Ok(())
    }

    fn open_cached(&self, home: &Path, digest: Digest) -> Option<Checkpoint> {
        let checkpoint = Checkpoint::open(home).ok()?;
        if checkpoint.digest() != digest.0 {
            return None;
        }
        // The time of last use is what `prune` goes by; a failure only makes the copy look older.
        let _ = std::fs::File::open(home).and_then(|dir| dir.set_modified(SystemTime::now()));
        Some(checkpoint)
    }

    async fn fetch(
        &self,
        peer: &PeerAddress,
        blob: Digest,
        max: u64,
        to: &Path,
    ) -> Result<(), ArtifactError> {
        let signer = self.signer.clone();
        let bytes = self
            .client
            .fetch(peer, blob, max, move |range| signer.sign(range), to)
            .await?;
        self.fetched.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn check_vocabulary(&self, checkpoint: &Checkpoint) -> Result<(), ArtifactError> {
        let (found, expected) = (checkpoint.config.vocab_size, self.vocab_size as usize);
        if found == expected {
            Ok(())
        } else {
            Err(ArtifactError::Vocabulary { found, expected })
        }
    }
}

/// Copies a file whose contents have this hash; whether it was. A damaged one of our own is not the miner's fault, so
/// it is found here and not where the new checkpoint is opened.
async fn copied(from: PathBuf, wanted: [u8; 32], to: PathBuf) -> bool {
    let copy = tokio::task::spawn_blocking(move || {
        let contents = read(&from).ok()?;
        let intact = Digest::of(&contents).0 == wanted;
        intact.then(|| std::fs::write(&to, contents).ok()).flatten()
    });
    match copy.await {
        Ok(written) => written.is_some(),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ArtifactError> {
    std::fs::read(path).map_err(|source| ArtifactError::Disk {
        path: path.to_owned(),
        source,
    })
}
