//! Committed checkpoints, fetched by digest, verified chunk by chunk, and kept in a bounded cache.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use athanor_model::checkpoint::{Checkpoint, CheckpointError, MANIFEST, Manifest, ManifestError};
use athanor_net::{Client, FetchError, PeerAddress};
use athanor_spec::{Digest, params::Limits};
use thiserror::Error;

use crate::signer::Signer;

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
        })
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
        for file in &manifest.files {
            self.fetch(
                peer,
                Digest(file.digest()),
                file.bytes,
                &incoming.path().join(&file.name),
            )
            .await?;
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
        Ok(Arc::new(Checkpoint::open(&home)?))
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
        self.client
            .fetch(peer, blob, max, move |range| signer.sign(range), to)
            .await?;
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

fn read(path: &Path) -> Result<Vec<u8>, ArtifactError> {
    std::fs::read(path).map_err(|source| ArtifactError::Disk {
        path: path.to_owned(),
        source,
    })
}
