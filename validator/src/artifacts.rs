//! Committed checkpoints, fetched by digest, verified chunk by chunk, and kept in a cache.
//!
//! A miner chooses what it commits to, so everything here is bounded by the spec before it is believed: how many bytes are
//! fetched and how long they may take, what is parsed (never a tokenizer that is not the teacher's), and how many
//! checkpoints are looked at together (one, since that takes memory for all of its tensors). What breaks a bound is a value,
//! an [`ArtifactError`], which says whose fault it is.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime},
};

use athanor_model::{
    Config,
    checkpoint::{CONFIG, Checkpoint, CheckpointError, FileEntry, MANIFEST, Manifest, TOKENIZER},
    config::{ConfigError, MAX_CONFIG_BYTES},
};
use athanor_net::{AskError, Client, FetchError, PeerAddress};
use athanor_spec::{Digest, SubnetSpec, params::Limits};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::signer::Signer;

mod error;
mod garbage;
mod pace;
mod short_way;

pub use error::ArtifactError;
use pace::{Line, Pace};

/// Artifacts on their way at once: each may hold some megabytes of slices that came early.
const MAX_TRANSFERS: usize = 64;

/// What a checkpoint must be like to be paid.
#[derive(Clone, Debug)]
pub struct Requirements {
    limits: Limits,
    vocab_size: usize,
    tokenizer: Digest,
}

impl Requirements {
    /// What the spec asks for, and the very tokenizer of its teacher: what it may contain (patterns, tables) cannot be
    /// bounded by its size alone, so that a stranger's is never parsed.
    pub fn of(spec: &SubnetSpec, teacher: &Checkpoint) -> Result<Self, CheckpointError> {
        Ok(Self {
            limits: spec.limits.clone(),
            vocab_size: spec.subnet.vocab_size as usize,
            tokenizer: Digest(teacher.manifest.file(TOKENIZER)?.digest()),
        })
    }

    /// What the manifest alone tells, before anything that it names is fetched.
    fn check_manifest(&self, manifest: &Manifest) -> Result<(), ArtifactError> {
        let (bytes, limit) = (manifest.total_bytes(), self.limits.max_artifact_bytes);
        if bytes > limit {
            return Err(ArtifactError::TooLarge { bytes, limit });
        }
        let (config, limit) = (manifest.file(CONFIG)?.bytes, MAX_CONFIG_BYTES);
        if config > limit as u64 {
            let bytes = usize::try_from(config).unwrap_or(usize::MAX);
            return Err(CheckpointError::from(ConfigError::TooLarge { bytes, limit }).into());
        }
        let (found, expected) = (Digest(manifest.file(TOKENIZER)?.digest()), self.tokenizer);
        if found != expected {
            return Err(ArtifactError::Tokenizer { found, expected });
        }
        Ok(())
    }

    fn check_config(&self, config: &Config) -> Result<(), ArtifactError> {
        let (found, expected) = (config.vocab_size, self.vocab_size);
        if found != expected {
            return Err(ArtifactError::Vocabulary { found, expected });
        }
        let expected = (self.limits.max_prompt_tokens + self.limits.max_new_tokens) as usize;
        let found = config.max_position_embeddings;
        if found < expected {
            return Err(ArtifactError::Context { found, expected });
        }
        Ok(())
    }
}

/// The cache of fetched checkpoints. Clones share it.
#[derive(Clone)]
pub struct Artifacts {
    dir: PathBuf,
    client: Client,
    signer: Signer,
    requirements: Arc<Requirements>,
    latest: short_way::Latest,
    line: Arc<Mutex<Line>>,
    /// One at a time writes to a directory of incoming files.
    incoming: Arc<Mutex<HashMap<PathBuf, Weak<tokio::sync::Mutex<()>>>>>,
    transfers: Arc<Semaphore>,
    examining: Arc<Semaphore>,
    /// Bytes that the cache may take.
    quota: Option<u64>,
    /// Checkpoints that somebody uses.
    needed: Arc<Mutex<BTreeSet<Digest>>>,
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

impl Artifacts {
    /// A cache in `dir`, which is created when absent.
    pub fn new(
        dir: PathBuf,
        client: Client,
        signer: Signer,
        requirements: Requirements,
    ) -> Result<Self, ArtifactError> {
        create(&dir)?;
        Ok(Self {
            dir,
            client,
            signer,
            requirements: Arc::new(requirements),
            latest: Default::default(),
            line: Arc::default(),
            incoming: Arc::default(),
            transfers: Arc::new(Semaphore::new(MAX_TRANSFERS)),
            examining: Arc::new(Semaphore::new(1)),
            quota: None,
            needed: Arc::default(),
            fetched: Arc::default(),
            obtained: Arc::default(),
        })
    }

    /// Where the checkpoint with this digest lies, if it is in the cache.
    pub(crate) fn home(&self, digest: Digest) -> Option<PathBuf> {
        let home = self.dir.join(digest.to_string());
        home.is_dir().then_some(home)
    }

    /// The checkpoint with this digest, from the cache or from `peer`, as soon as all of it is here and was looked at. A
    /// transfer that is slower than the spec allows is given up; what came stays, and the next attempt goes on from there.
    pub async fn obtain(
        &self,
        peer: &PeerAddress,
        digest: Digest,
    ) -> Result<Arc<Checkpoint>, ArtifactError> {
        let home = self.dir.join(digest.to_string());
        if let Some(checkpoint) = self.open_cached(&home, digest).await {
            return Ok(Arc::new(checkpoint));
        }
        // The peer is part of the name, so that a slow one that committed to somebody else's checkpoint holds up nobody.
        let name = format!("incoming-{digest}-{}", peer.peer_key.short());
        let incoming = self.dir.join(name);
        let turn = self.incoming(&incoming);
        let _turn = turn.lock().await;
        if let Some(checkpoint) = self.open_cached(&home, digest).await {
            return Ok(Arc::new(checkpoint));
        }
        let obtained = self.obtain_in(&incoming, &home, peer, digest).await;
        if obtained.as_ref().is_err_and(ArtifactError::is_final) {
            // A failure leaves it for `prune`.
            let _ = std::fs::remove_dir_all(&incoming);
        }
        obtained
    }

    async fn obtain_in(
        &self,
        incoming: &Path,
        home: &Path,
        peer: &PeerAddress,
        digest: Digest,
    ) -> Result<Arc<Checkpoint>, ArtifactError> {
        create(incoming)?;
        let total = self.transfer(incoming, peer, digest).await?;
        let mut checkpoint = self.examine(incoming.to_owned(), digest).await?;
        self.requirements.check_config(&checkpoint.config)?;
        // Another peer may have given the same artifact meanwhile: then its copy is as good.
        if std::fs::rename(incoming, home).is_err() {
            let _ = std::fs::remove_dir_all(incoming);
        }
        checkpoint.dir = home.to_owned();
        self.obtained.fetch_add(total, Ordering::Relaxed);
        {
            let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            latest.insert(peer.peer_key, digest);
        }
        if self.quota.is_some() {
            let cache = self.clone();
            // The copy that just came would be the last to go.
            match tokio::task::spawn_blocking(move || cache.prune(SystemTime::UNIX_EPOCH)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "cannot prune the artifact cache"),
                Err(error) => tracing::error!(%error, "pruning the artifact cache panicked"),
            }
        }
        Ok(Arc::new(checkpoint))
    }

    /// Fetches what is not there yet, within the time that its size allows; returns the size of all files.
    async fn transfer(
        &self,
        incoming: &Path,
        peer: &PeerAddress,
        digest: Digest,
    ) -> Result<u64, ArtifactError> {
        let _one = self.transfers.acquire().await;
        let max = u64::from(self.requirements.limits.max_manifest_bytes);
        let path = incoming.join(MANIFEST);
        // One slice, for which the network has a time limit of its own. A peer that does not even give this is not there.
        self.fetch(peer, digest, max, &path).await?;
        let manifest = Manifest::parse(&read(&path)?)?;
        self.requirements.check_manifest(&manifest)?;
        let total = manifest.total_bytes();
        let fetch = self.fetch_files(incoming, peer, &manifest);
        self.in_time(peer, total, fetch).await?;
        Ok(total)
    }

    async fn fetch_files(
        &self,
        incoming: &Path,
        peer: &PeerAddress,
        manifest: &Manifest,
    ) -> Result<(), ArtifactError> {
        let bases = self.bases(peer, manifest);
        // The smallest first: a model of another shape is found out before its weights have come.
        let config = manifest.file(CONFIG)?;
        let others = manifest.files.iter().filter(|file| file.name != CONFIG);
        for file in std::iter::once(config).chain(others) {
            let to = incoming.join(&file.name);
            let here = short_way::intact(to.clone(), file.digest()).await;
            if !here && !self.short_way(peer, file, &bases, &to).await {
                self.fetch_file(peer, file, &to).await?;
            }
            if file.name == CONFIG {
                let config = Config::parse(&read(&to)?).map_err(CheckpointError::from)?;
                self.requirements.check_config(&config)?;
            }
        }
        Ok(())
    }

    async fn fetch_file(
        &self,
        peer: &PeerAddress,
        file: &FileEntry,
        to: &Path,
    ) -> Result<(), ArtifactError> {
        self.fetch(peer, Digest(file.digest()), file.bytes, to)
            .await
    }

    /// Gives a transfer of so many bytes the time that the spec allows, and finds out who was slow.
    async fn in_time(
        &self,
        peer: &PeerAddress,
        bytes: u64,
        transfer: impl Future<Output = Result<(), ArtifactError>>,
    ) -> Result<(), ArtifactError> {
        let rate = self.requirements.limits.min_artifact_bytes_per_second;
        let allowed = Pace { rate }.allowed(bytes);
        let begun = Instant::now();
        let ended = timeout(allowed, transfer).await;
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        match ended {
            Ok(Ok(())) => {
                line.carried(peer.peer_key, Instant::now());
                return Ok(());
            }
            // A peer that gave its manifest, and then not one slice in its time.
            Ok(Err(ArtifactError::Fetch(FetchError::Ask(AskError::Timeout { .. })))) | Err(_) => {}
            Ok(Err(error)) => return Err(error),
        }
        match line.blames(peer.peer_key, begun) {
            true => Err(ArtifactError::TooSlow {
                bytes,
                allowed,
                rate,
            }),
            false => Err(ArtifactError::SlowLine { bytes, allowed }),
        }
    }

    /// What checkpoints have cost on the wire.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            fetched: self.fetched.load(Ordering::Relaxed),
            obtained: self.obtained.load(Ordering::Relaxed),
        }
    }

    /// The right to hold a checkpoint's tensors in memory.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.examining.acquire().await.ok()
    }

    fn incoming(&self, dir: &Path) -> Arc<tokio::sync::Mutex<()>> {
        let mut all = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = all.get(dir).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        all.insert(dir.to_owned(), Arc::downgrade(&lock));
        lock
    }

    /// Opens a checkpoint and looks at every byte of it, off the async threads and one after the other.
    async fn examine(&self, dir: PathBuf, digest: Digest) -> Result<Checkpoint, ArtifactError> {
        let _turn = self.turn().await;
        match tokio::task::spawn_blocking(move || Checkpoint::open(&dir)).await {
            Ok(opened) => Ok(opened?),
            Err(_) => Err(ArtifactError::Panicked { digest }),
        }
    }

    async fn open_cached(&self, home: &Path, digest: Digest) -> Option<Checkpoint> {
        if !home.exists() {
            return None;
        }
        let checkpoint = self.examine(home.to_owned(), digest).await.ok()?;
        if checkpoint.digest() != digest.0 {
            return None;
        }
        self.requirements.check_config(&checkpoint.config).ok()?;
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
}

fn create(dir: &Path) -> Result<(), ArtifactError> {
    std::fs::create_dir_all(dir).map_err(disk(dir))
}

fn read(path: &Path) -> Result<Vec<u8>, ArtifactError> {
    std::fs::read(path).map_err(disk(path))
}

fn disk(path: &Path) -> impl Fn(std::io::Error) -> ArtifactError {
    move |source| ArtifactError::Disk {
        path: path.to_owned(),
        source,
    }
}
