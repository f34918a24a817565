//! `backup` and `restore`: everything in a data directory that cannot be made again, in one file.
//!
//! A backup is a gzipped tar archive. Its first entry, `manifest.json`, names every other one with its length and blake3
//! hash; `restore` believes nothing else. Both take the directory's lock, so a running daemon refuses them: a state that
//! changes while it is copied would be none. The hotkey comes along only if that is asked for, a coldkey never.

mod pack;
mod unpack;

use std::{
    io,
    path::{Path, PathBuf},
};

use athanor_chain::{WalletError, wallet::KeyKind};
use athanor_spec::{Digest, SubnetSpec};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;
use thiserror::Error;

use crate::{
    SubnetArgs, WalletArgs,
    args::SpecFileError,
    lock::{self, LockError},
};

/// The layout of what follows; another number is another layout.
const LAYOUT: u32 = 1;
/// Name of the first entry.
const MANIFEST: &str = "manifest.json";
/// Where a data directory's files are in the archive.
const DATA: &str = "data";
/// Where the hotkey's file is in the archive.
const HOTKEY: &str = "hotkey";

/// Settings of `backup` and `restore`.
#[derive(Args, Clone, Debug)]
pub struct BackupArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Which hotkey's data
    #[command(flatten)]
    pub wallet: WalletArgs,
    /// Which subnet's data
    #[command(flatten)]
    pub subnet: SubnetArgs,
    /// The data directory [default: the one that `run` uses]
    #[arg(
        long = "data.dir",
        alias = "data-dir",
        env = "ATHANOR_DATA_DIR",
        value_name = "DIR"
    )]
    pub data_dir: Option<PathBuf>,
    /// The hotkey's file too, unencrypted if that is how it lies in the wallet
    #[arg(long = "with-hotkey")]
    pub with_hotkey: bool,
    /// Write over what is there; `restore` keeps a data directory that was there beside the new one
    #[arg(long)]
    pub force: bool,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// What a daemon's data directory is.
#[derive(Clone, Copy, Debug)]
pub struct DataKind {
    /// The daemon's name, which a backup bears.
    pub daemon: &'static str,
    /// What in it can be made again, and stays out.
    pub caches: &'static [&'static str],
    /// Where it is unless told.
    pub usual: fn(&WalletArgs, &SubnetSpec) -> PathBuf,
}

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    layout: u32,
    daemon: String,
    files: Vec<Packed>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Packed {
    /// With slashes, from the root of the archive.
    path: String,
    bytes: u64,
    blake3: Digest,
}

/// Why there is no backup, or nothing was restored.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The spec cannot be read.
    #[error(transparent)]
    Spec(#[from] SpecFileError),
    /// A daemon runs on the directory.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The hotkey's file cannot be named.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// There is nothing to back up.
    #[error("there is no data at {}: name the directory with --data.dir", path.display())]
    NoData {
        /// The directory.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Something is there already.
    #[error("{} is there already: move it away, or give --force", path.display())]
    Exists {
        /// What.
        path: PathBuf,
    },
    /// A key is there already.
    #[error("{} is there already, and a key that is overwritten is lost: move it away, or leave --with-hotkey out", path.display())]
    KeyExists {
        /// The key's file.
        path: PathBuf,
    },
    /// The file is no backup.
    #[error("{} is no backup that this version reads: {reason}", path.display())]
    NotABackup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The backup is of another daemon.
    #[error("{} is a backup of athanor-{found}, and this is athanor-{expected}", path.display())]
    OtherDaemon {
        /// The file.
        path: PathBuf,
        /// Of which it is.
        found: String,
        /// Which this is.
        expected: &'static str,
    },
    /// A file in the backup is not what the manifest says.
    #[error("{name} in {} is damaged: nothing was restored", path.display())]
    Damaged {
        /// The backup.
        path: PathBuf,
        /// The entry.
        name: String,
    },
    /// The backup has no hotkey.
    #[error("{} holds no hotkey: it was made without --with-hotkey", path.display())]
    NoHotkey {
        /// The backup.
        path: PathBuf,
    },
}

impl BackupArgs {
    /// Packs a data directory, and says what was packed. Blocks.
    pub fn backup(&self, kind: DataKind) -> Result<String, BackupError> {
        let data = self.directory(kind)?;
        if !data.is_dir() {
            return Err(BackupError::NoData { path: data });
        }
        let _lock = lock::directory(&data)?;
        let hotkey = match self.with_hotkey {
            true => Some(self.wallet.wallet().key_file(KeyKind::Hotkey)?),
            false => None,
        };
        let manifest = pack::pack(&self.file, &data, kind, hotkey.as_deref(), self.force)?;
        Ok(self.told("packed", &manifest, &data))
    }

    /// Unpacks a backup, and says what was unpacked. Blocks.
    pub fn restore(&self, kind: DataKind) -> Result<String, BackupError> {
        let data = self.directory(kind)?;
        let hotkey = match self.with_hotkey {
            true => Some(self.wallet.wallet().key_file(KeyKind::Hotkey)?),
            false => None,
        };
        let manifest = unpack::unpack(&self.file, &data, kind, hotkey.as_deref(), self.force)?;
        Ok(self.told("restored", &manifest, &data))
    }

    fn directory(&self, kind: DataKind) -> Result<PathBuf, BackupError> {
        Ok(match &self.data_dir {
            Some(path) => path.clone(),
            None => (kind.usual)(&self.wallet, &self.subnet.load()?),
        })
    }

    fn told(&self, verb: &str, manifest: &Manifest, data: &Path) -> String {
        let (files, bytes) = (
            manifest.files.len(),
            manifest.files.iter().map(|file| file.bytes).sum::<u64>(),
        );
        match self.json {
            true => json!({"backup": self.file, "data_dir": data, "files": files, "bytes": bytes})
                .to_string(),
            false => {
                let (backup, data) = (self.file.display(), data.display());
                format!("{verb} {files} files, {bytes} bytes; data {data}, backup {backup}")
            }
        }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::Io { path, source }
}

#[cfg(test)]
mod tests;
