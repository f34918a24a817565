//! Weights that were committed and not yet shown, on disk: whoever loses the salt of a commit loses the commit.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use athanor_spec::{BlockNumber, Digest, Hotkey, NetUid, Uid};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Larger than any journal: what is longer is not read.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Commits that are kept; the chain has at most ten of a hotkey.
const MAX_ENTRIES: usize = 64;

/// Why the journal cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error("cannot use {path}, which keeps committed weights: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is not a journal.
    #[error(
        "{path} is not a journal of committed weights: {source}; move it away to start a new one"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// The file belongs to another key, subnet or chain.
    #[error(
        "{path} keeps the weights of {hotkey} on subnet {netuid} of the chain {genesis}: give each its own data directory"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        hotkey: Hotkey,
        /// On which subnet.
        netuid: NetUid,
        /// On which chain.
        genesis: Digest,
    },
}

/// One commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    /// The row that it hides.
    pub(crate) weights: Vec<(Uid, u16)>,
    pub(crate) version_key: u64,
    /// Height of the chain when it was signed; the chain includes it within some blocks or never.
    pub(crate) signed_at: u32,
    /// The block that includes it, once that is known.
    pub(crate) included_at: Option<u32>,
    /// The first block in which it can be shown, as foreseen when it was signed.
    pub(crate) reveal_block: u32,
}

/// How a commit hides its row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// By a hash; its owner reveals it.
    Hash { hash: Digest, salt: Vec<u16> },
    /// By a ciphertext that the chain opens in a round.
    Timelocked { round: u64 },
}

/// Whose weights, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) genesis: Digest,
    pub(crate) netuid: NetUid,
    pub(crate) hotkey: Hotkey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    owner: Owner,
    entries: Vec<Entry>,
}

/// The journal of one hotkey on one subnet, and its file.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    owner: Owner,
    entries: Vec<Entry>,
}

impl Journal {
    /// Reads the file at `path`, or starts with an empty journal if there is none.
    pub(crate) fn open(path: &Path, owner: Owner) -> Result<Self, JournalError> {
        let path = path.to_owned();
        let io = |path: &Path, source| JournalError::Io {
            path: path.to_owned(),
            source,
        };
        let bytes = match fs::File::open(&path) {
            Ok(file) => {
                let mut bytes = Vec::new();
                io::Read::read_to_end(&mut io::Read::take(file, MAX_BYTES), &mut bytes)
                    .map_err(|source| io(&path, source))?;
                bytes
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self {
                    path,
                    owner,
                    entries: Vec::new(),
                });
            }
            Err(source) => return Err(io(&path, source)),
        };
        match serde_json::from_slice::<Content>(&bytes) {
            Ok(content) if content.owner == owner => Ok(Self {
                path,
                owner,
                entries: content.entries,
            }),
            Ok(Content {
                owner:
                    Owner {
                        genesis,
                        netuid,
                        hotkey,
                    },
                ..
            }) => Err(JournalError::Foreign {
                path,
                hotkey,
                netuid,
                genesis,
            }),
            Err(source) => Err(JournalError::Malformed { path, source }),
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Keeps one more commit. It is on disk when this returns: only then may the commit be sent.
    pub(crate) fn push(&mut self, entry: Entry) -> Result<(), JournalError> {
        self.entries.push(entry);
        let surplus = self.entries.len().saturating_sub(MAX_ENTRIES);
        self.entries.drain(..surplus);
        self.save()
    }

    /// Notes the block that includes the newest commit.
    pub(crate) fn mark_last_included(&mut self, block: BlockNumber) -> Result<(), JournalError> {
        if let Some(entry) = self.entries.last_mut() {
            entry.included_at = Some(block.0);
        }
        self.save()
    }

    /// Forgets the newest commit.
    pub(crate) fn pop(&mut self) -> Result<(), JournalError> {
        self.entries.pop();
        self.save()
    }

    /// Forgets one commit.
    pub(crate) fn remove(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.entries.retain(|kept| kept != entry);
        self.save()
    }

    fn save(&self) -> Result<(), JournalError> {
        let write = || {
            let folder = match self.path.parent() {
                Some(folder) if folder != Path::new("") => folder,
                _ => Path::new("."),
            };
            let content = serde_json::to_vec(&Content {
                owner: self.owner,
                entries: self.entries.clone(),
            })?;
            fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&content)?;
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            // The name is on disk with its folder.
            fs::File::open(folder)?.sync_all()
        };
        write().map_err(|source: io::Error| JournalError::Io {
            path: self.path.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner {
        genesis: Digest([1; 32]),
        netuid: NetUid(1),
        hotkey: Hotkey([2; 32]),
    };

    fn entry(salt: u16) -> Entry {
        Entry {
            kind: Kind::Hash {
                hash: Digest([3; 32]),
                salt: vec![salt; 8],
            },
            weights: vec![(Uid(1), 65535)],
            version_key: 1,
            signed_at: 5,
            included_at: None,
            reveal_block: 50,
        }
    }

    #[test]
    fn what_was_pushed_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/weights.json");
        let mut journal = Journal::open(&path, OWNER).unwrap();
        assert_eq!(journal.entries(), []);
        journal.push(entry(1)).unwrap();
        let timelocked = Entry {
            kind: Kind::Timelocked { round: 1000 },
            ..entry(0)
        };
        journal.push(timelocked.clone()).unwrap();
        drop(journal);
        let mut journal = Journal::open(&path, OWNER).unwrap();
        assert_eq!(journal.entries(), [entry(1), timelocked.clone()]);
        journal.remove(&entry(1)).unwrap();
        journal.push(entry(2)).unwrap();
        journal.mark_last_included(BlockNumber(6)).unwrap();
        let included = Entry {
            included_at: Some(6),
            ..entry(2)
        };
        let mut journal = Journal::open(&path, OWNER).unwrap();
        assert_eq!(journal.entries(), [timelocked.clone(), included]);
        journal.pop().unwrap();
        let journal = Journal::open(&path, OWNER).unwrap();
        assert_eq!(journal.entries(), [timelocked]);
        let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "no temporary file is left behind");
    }

    #[test]
    fn another_ones_journal_and_a_damaged_one_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.json");
        Journal::open(&path, OWNER).unwrap().push(entry(1)).unwrap();
        let other = Owner {
            netuid: NetUid(2),
            ..OWNER
        };
        let error = Journal::open(&path, other).unwrap_err();
        assert!(matches!(error, JournalError::Foreign { .. }), "{error}");
        fs::write(&path, "{").unwrap();
        let error = Journal::open(&path, OWNER).unwrap_err().to_string();
        assert!(error.contains("weights.json"), "{error}");
    }

    #[test]
    fn a_journal_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("weights.json"), OWNER).unwrap();
        for salt in 0..100 {
            journal.push(entry(salt)).unwrap();
        }
        assert_eq!(journal.entries().len(), MAX_ENTRIES);
        assert_eq!(journal.entries().last(), Some(&entry(99)));
    }
}
