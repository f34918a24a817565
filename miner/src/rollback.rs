//! Going back to a checkpoint that was served before.
//!
//! A running miner commits to it and swaps it in as it would a new one, and its training goes on from there: what it had
//! made since is set aside. A stopped miner takes note, and does the same when it starts.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use athanor_spec::Digest;
use thiserror::Error;
use tokio::sync::oneshot;

use crate::{
    history::History,
    store::{self, CheckpointRefused},
};

/// Why a miner cannot go back.
#[derive(Debug, Error)]
pub enum RollbackError {
    /// Nothing else was served before.
    #[error("no other checkpoint was served before: name one by its digest")]
    NoPrevious,
    /// It is served already.
    #[error("{checkpoint} is what is served")]
    Served {
        /// The checkpoint.
        checkpoint: Digest,
    },
    /// It is not on disk any more, or is damaged.
    #[error("{checkpoint} is not kept in {}, or is damaged: offer it anew with --model", directory.display())]
    NotKept {
        /// The checkpoint.
        checkpoint: Digest,
        /// Where checkpoints are kept.
        directory: PathBuf,
    },
    /// It cannot be served on this subnet.
    #[error(transparent)]
    Refused(#[from] CheckpointRefused),
    /// It failed its trial.
    #[error("the checkpoint failed its trial: {reason}")]
    Trial {
        /// What was wrong.
        reason: String,
    },
    /// The miner ended meanwhile.
    #[error("the miner has ended")]
    Stopped,
    /// The data directory cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What a running miner is asked for.
#[derive(Debug)]
pub(crate) struct Order {
    /// The checkpoint; `None` is the one served before.
    pub(crate) to: Option<Digest>,
    pub(crate) reply: oneshot::Sender<Result<Digest, RollbackError>>,
}

/// The checkpoint that is meant.
pub(crate) fn target(
    to: Option<Digest>,
    serving: Option<Digest>,
    history: &History,
) -> Result<Digest, RollbackError> {
    let earlier = || {
        let earlier = history.earlier();
        let other = earlier.into_iter().find(|digest| Some(*digest) != serving);
        other.ok_or(RollbackError::NoPrevious)
    };
    let checkpoint = to.map_or_else(earlier, Ok)?;
    match serving == Some(checkpoint) {
        true => Err(RollbackError::Served { checkpoint }),
        false => Ok(checkpoint),
    }
}

/// Lets a miner that does not run serve another checkpoint when it starts; returns which. Blocking.
pub fn stopped(data_dir: &Path, to: Option<Digest>) -> Result<Digest, RollbackError> {
    let path = history_path(data_dir);
    let history = History::open(path.clone()).map_err(at(&path))?;
    let checkpoint = target(to, history.current(), &history)?;
    let directory = store::checkpoints(data_dir);
    let kept = store::open(&directory.join(checkpoint.to_string()));
    if kept.map(|kept| kept.digest()).ok() != Some(checkpoint.0) {
        return Err(RollbackError::NotKept {
            checkpoint,
            directory,
        });
    }
    let wish = wish_path(data_dir);
    fs::write(&wish, checkpoint.to_string()).map_err(at(&wish))?;
    Ok(checkpoint)
}

/// The checkpoint that a stopped miner was told to go back to. Blocking.
pub(crate) fn wish(data_dir: &Path) -> Option<Digest> {
    fs::read_to_string(wish_path(data_dir))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// What was wished for is committed. Blocking.
pub(crate) fn wish_granted(data_dir: &Path) -> io::Result<()> {
    match fs::remove_file(wish_path(data_dir)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Moves a training run out of the way, over the one that was moved before, so that training begins anew. Blocking.
pub(crate) fn set_training_aside(run: &Path) -> io::Result<()> {
    let aside = run.with_extension("before-rollback");
    if aside.exists() {
        fs::remove_dir_all(&aside)?;
    }
    match run.exists() {
        true => fs::rename(run, aside),
        false => Ok(()),
    }
}

pub(crate) fn history_path(data_dir: &Path) -> PathBuf {
    data_dir.join("served")
}

fn wish_path(data_dir: &Path) -> PathBuf {
    data_dir.join("serve-next")
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> RollbackError + use<> {
    let path = path.to_owned();
    move |source| RollbackError::Disk { path, source }
}
