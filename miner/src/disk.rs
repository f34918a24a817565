//! What a miner finds in its data directory when it starts, and what it begins there.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use athanor_model::Checkpoint;
use athanor_net::{BlobStore, Identity};
use athanor_spec::{Digest, SubnetSpec};

use crate::{
    CheckpointRefused, StartError, Upkeep,
    history::History,
    quota::collect,
    rollback::{self, RollbackError},
    serve::now_ms,
    store::{self, Kept, Store},
};

/// What lies on disk.
pub(crate) struct Disk {
    pub(crate) identity: Identity,
    pub(crate) blobs: BlobStore,
    pub(crate) store: Store,
    /// File of what was answered; see [`crate::service`].
    pub(crate) watermark: PathBuf,
    pub(crate) history: History,
    /// What is served now.
    pub(crate) serving: Kept,
    /// What the operator gave, against which progress is measured.
    pub(crate) first: Checkpoint,
    /// Directory of the training that began with that.
    pub(crate) run: PathBuf,
}

impl Disk {
    /// Opens, or begins, a data directory. Blocking.
    pub(crate) fn open(
        data_dir: &Path,
        model: &Path,
        committed: Option<Digest>,
        upkeep: &Upkeep,
        spec: &SubnetSpec,
    ) -> Result<Self, StartError> {
        fs::create_dir_all(data_dir).map_err(at(data_dir))?;
        let identity = Identity::open_or_create(&data_dir.join("peer.key"))?;
        let first = store::open(model)?;
        CheckpointRefused::check(&first, spec)?;
        let blobs = BlobStore::open(&data_dir.join("trees"), spec.limits.max_chunk_bytes)
            .map_err(CheckpointRefused::from)?;
        let mut store = Store::open(data_dir, blobs.clone())?;

        // A miner that was given this model before goes on from what it made of it.
        let mark = data_dir.join("model.digest");
        let given = Digest(first.digest()).to_string();
        let known = fs::read_to_string(&mark).is_ok_and(|before| before == given);
        let history_path = rollback::history_path(data_dir);
        let mut history = History::open(history_path.clone()).map_err(at(&history_path))?;
        let found = committed.filter(|_| known).and_then(|it| store.find(it));
        let dir = match wished(&store, data_dir)?.or(found) {
            Some(checkpoint) => checkpoint.dir,
            None => model.to_owned(),
        };
        // Another model is another training run.
        let run = data_dir
            .join("distill")
            .join(Digest(first.digest()).short());
        if rollback::wish(data_dir).is_some() {
            rollback::set_training_aside(&run).map_err(at(&run))?;
        }
        let serving = store.adopt(&dir, spec, None)?;
        history
            .note(serving.digest(), now_ms())
            .map_err(at(&history_path))?;
        fs::write(&mark, given).map_err(at(&mark))?;
        let store = Mutex::new(store);
        let earlier = history.earlier().into_iter().take(1);
        let needed: Vec<Digest> = [serving.digest()]
            .into_iter()
            .chain(committed)
            .chain(earlier)
            .collect();
        collect(&store, data_dir, &run, &needed, upkeep.quota);
        let store = store.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Self {
            identity,
            blobs,
            store,
            watermark: data_dir.join("admission.mark"),
            history,
            serving,
            first,
            run,
        })
    }
}

/// The checkpoint that a stopped miner was told to go back to.
fn wished(store: &Store, data_dir: &Path) -> Result<Option<Checkpoint>, StartError> {
    let Some(checkpoint) = rollback::wish(data_dir) else {
        return Ok(None);
    };
    let kept = store.find(checkpoint);
    match kept {
        Some(kept) => Ok(Some(kept)),
        None => Err(RollbackError::NotKept {
            checkpoint,
            directory: store::checkpoints(data_dir),
        }
        .into()),
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StartError + use<> {
    let path: PathBuf = path.to_owned();
    move |source| StartError::DataDir { path, source }
}
