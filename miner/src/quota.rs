//! Keeping the data directory to its quota.
//!
//! What may go, in this order: training runs of models that are not served any more, then old checkpoints, the oldest first.
//! What never goes: what is served, committed, about to be, or what a rollback would return to; the trainer's states and its
//! best checkpoints; keys.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use athanor_spec::Digest;

use crate::store::{self, Budget, Store};

/// Removes what may go; `run` is the training run in use. Does blocking I/O.
pub(crate) fn collect(
    store: &Mutex<Store>,
    data_dir: &Path,
    run: &Path,
    needed: &[Digest],
    quota: Option<u64>,
) {
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(quota) = quota else {
        return store.prune(needed, Budget::Few);
    };
    let bytes = store::directory_bytes(data_dir);
    if bytes > quota {
        let mut over = bytes - quota;
        for (run, bytes) in old_runs(data_dir, run) {
            if over == 0 {
                break;
            }
            tracing::info!(run = %run.display(), bytes, "an old training run makes room");
            store::remove(&run);
            over = over.saturating_sub(bytes);
        }
    }
    let others = store::directory_bytes(data_dir).saturating_sub(store.bytes());
    store.prune(needed, Budget::Bytes { quota, others });
    let bytes = store::directory_bytes(data_dir);
    if bytes > quota {
        tracing::warn!(
            bytes,
            quota,
            "the data directory is over its quota, and nothing in it may go: raise --data.quota"
        );
    }
}

/// Training runs other than the one in use, the oldest first, with their bytes.
fn old_runs(data_dir: &Path, in_use: &Path) -> Vec<(PathBuf, u64)> {
    let entries = fs::read_dir(data_dir.join("distill"));
    let paths = entries.into_iter().flatten().flatten().map(|it| it.path());
    let mut runs: Vec<(SystemTime, PathBuf)> = paths
        .filter(|path| path != in_use)
        .map(|path| (used(&path), path))
        .collect();
    runs.sort();
    runs.into_iter()
        .map(|(_, run)| {
            let bytes = store::directory_bytes(&run);
            (run, bytes)
        })
        .collect()
}

/// When a run last wrote anything.
fn used(run: &Path) -> SystemTime {
    let modified = |path: &Path| path.metadata().and_then(|it| it.modified()).ok();
    let below = fs::read_dir(run).into_iter().flatten().flatten();
    let latest = below.filter_map(|entry| modified(&entry.path())).max();
    latest.max(modified(run)).unwrap_or(SystemTime::UNIX_EPOCH)
}
