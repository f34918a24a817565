//! Keep the chain on disk, so that a process that is killed continues where it was.
//!
//! A block, the trie nodes that it adds and those that leave with the oldest state are written in one transaction, which
//! is on disk before anybody is told of the block. States are read from memory; the disk serves recovery, and blocks
//! that have left memory.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use athanor_runtime::Header;
use codec::{Decode, Encode};
use redb::{
    Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, Table, TableDefinition,
};
use sp_core::H256;
use thiserror::Error;

use crate::{
    history::{Key, Node, Release, StateChange},
    ledger::Block,
};

/// Version of the layout below; a directory of another version is refused rather than misread.
const SCHEMA: u64 = 1;
/// Name of the file in the directory.
const FILE: &str = "chain.redb";
/// Memory that the store may use to cache what it reads and writes.
const CACHE_BYTES: usize = 16 << 20;

/// "schema" and "spec_version".
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Number -> [`Block`].
const BLOCKS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("blocks");
/// Hash -> number.
const NUMBERS: TableDefinition<'_, &[u8; 32], u32> = TableDefinition::new("numbers");
/// Prefixed key -> [`Node`].
const NODES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("nodes");
/// Number of a block whose state is complete -> what it released.
const RELEASED: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("released");

/// Why a chain cannot be kept on disk, or read from there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory cannot be made.
    #[error("cannot create {}: {source}; choose another --base-path", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("{} is in use by another process: stop it, or choose another --base-path", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<DatabaseError>,
    },
    /// Another version of this program wrote it.
    #[error("{} was written with {what} {found}, this program has {expected}: use that version, or another --base-path", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Of what the versions differ.
        what: &'static str,
        /// In the file.
        found: u64,
        /// Here.
        expected: u64,
    },
    /// It holds a chain of another genesis.
    #[error("{} holds a chain whose genesis is {found:?}, not {expected:?}: give the genesis that it was started with, or another --base-path", path.display())]
    Genesis {
        /// The directory.
        path: PathBuf,
        /// Hash of its block 0.
        found: H256,
        /// Hash of the configured block 0.
        expected: H256,
    },
    /// What is stored contradicts itself.
    #[error("the chain in {} is damaged ({what}): remove the directory, or restore it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The disk failed or is full.
    #[error("cannot write the chain to disk: {0}")]
    Storage(Box<redb::Error>),
}

macro_rules! storage_error {
    ($($source:ty),*) => {$(
        impl From<$source> for StoreError {
            fn from(error: $source) -> Self {
                Self::Storage(Box::new(error.into()))
            }
        }
    )*};
}
storage_error!(
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError
);

/// The open directory.
pub(crate) struct Store {
    database: Database,
    path: PathBuf,
}

/// What a directory holds.
pub(crate) struct Stored {
    /// Block 0.
    pub(crate) genesis: Block,
    /// The newest blocks, in ascending order and without gap; at least one.
    pub(crate) recent: Vec<Block>,
    /// The trie nodes of all kept states.
    pub(crate) nodes: Vec<(Key, Node)>,
    /// What each block whose state is kept released, in ascending order.
    pub(crate) released: Vec<Vec<Release>>,
}

impl Store {
    /// Opens the chain in a directory, which is made if it is missing.
    pub(crate) fn open(directory: &Path, spec_version: u32) -> Result<Self, StoreError> {
        fs::create_dir_all(directory).map_err(|source| StoreError::Directory {
            path: directory.to_owned(),
            source,
        })?;
        let path = directory.join(FILE);
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(&path)
            .map_err(|error| match error {
                DatabaseError::DatabaseAlreadyOpen => StoreError::Locked { path: path.clone() },
                source => StoreError::Open {
                    path: path.clone(),
                    source: Box::new(source),
                },
            })?;
        let store = Self { database, path };
        store.check_versions(spec_version)?;
        Ok(store)
    }

    /// Writes the versions into a new file; refuses a file with others.
    fn check_versions(&self, spec_version: u32) -> Result<(), StoreError> {
        let transaction = self.database.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            for (what, expected) in [("schema", SCHEMA), ("spec_version", spec_version.into())] {
                let found = meta.get(what)?.map(|found| found.value());
                match found {
                    Some(found) if found != expected => {
                        return Err(StoreError::Version {
                            path: self.path.clone(),
                            what,
                            found,
                            expected,
                        });
                    }
                    Some(_) => {}
                    None => {
                        meta.insert(what, expected)?;
                    }
                }
            }
            transaction.open_table(BLOCKS)?;
            transaction.open_table(NUMBERS)?;
            transaction.open_table(NODES)?;
            transaction.open_table(RELEASED)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Everything that a chain needs to continue, with at most `blocks` blocks; `None` if the directory was empty.
    pub(crate) fn load(&self, blocks: usize) -> Result<Option<Stored>, StoreError> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(BLOCKS)?;
        let Some(genesis) = table.get(0)? else {
            return Ok(None);
        };
        let genesis = self.decode(genesis.value(), "block 0")?;
        let mut recent = Vec::new();
        for entry in table.iter()?.rev().take(blocks) {
            recent.push(self.decode(entry?.1.value(), "a block")?);
        }
        recent.reverse();
        let mut nodes = Vec::new();
        for entry in transaction.open_table(NODES)?.iter()? {
            let (key, node) = entry?;
            nodes.push((key.value().to_vec(), self.decode(node.value(), "a node")?));
        }
        let mut released = Vec::new();
        for entry in transaction.open_table(RELEASED)?.iter()? {
            released.push(self.decode(entry?.1.value(), "what a block released")?);
        }
        Ok(Some(Stored {
            genesis,
            recent,
            nodes,
            released,
        }))
    }

    /// Adds a block and what it changes of the states. It is on disk when this returns.
    pub(crate) fn append(&self, block: &Block, change: &StateChange) -> Result<(), StoreError> {
        let transaction = self.database.begin_write()?;
        {
            let number = block.header.number;
            transaction
                .open_table(BLOCKS)?
                .insert(number, block.encode().as_slice())?;
            transaction
                .open_table(NUMBERS)?
                .insert(&block.hash.0, number)?;
            let mut nodes = transaction.open_table(NODES)?;
            for (key, node) in &change.added {
                self.count(&mut nodes, key, node.count, Some(&node.value))?;
            }
            for Release { key, count } in &change.expired {
                self.count(&mut nodes, key, *count, None)?;
            }
            let mut released = transaction.open_table(RELEASED)?;
            released.insert(number, change.released.encode().as_slice())?;
            // The oldest state that stays has nothing to release any more; those before it are gone.
            let oldest = number.saturating_sub(change.depth);
            if change.expires {
                released.retain(|number, _| number >= oldest)?;
                released.insert(oldest, Vec::<Release>::new().encode().as_slice())?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Adds to the count of a node, and removes one that nothing holds any more.
    fn count(
        &self,
        nodes: &mut Table<'_, &'static [u8], &'static [u8]>,
        key: &[u8],
        by: i64,
        value: Option<&Vec<u8>>,
    ) -> Result<(), StoreError> {
        let present: Option<Node> = match nodes.get(key)? {
            Some(node) => Some(self.decode(node.value(), "a node")?),
            None => None,
        };
        let count = present.as_ref().map_or(0, |node| node.count) + by;
        let value = present
            .map(|node| node.value)
            .or_else(|| value.cloned())
            .filter(|_| count > 0);
        match value {
            Some(value) => {
                nodes.insert(key, Node { value, count }.encode().as_slice())?;
            }
            None => {
                nodes.remove(key)?;
            }
        }
        Ok(())
    }

    /// The block of this number.
    pub(crate) fn block(&self, number: u32) -> Result<Option<Block>, StoreError> {
        let table = self.database.begin_read()?.open_table(BLOCKS)?;
        let found = table.get(number)?;
        found
            .map(|block| self.decode(block.value(), "a block"))
            .transpose()
    }

    /// The number of the block of this hash.
    pub(crate) fn number(&self, hash: &H256) -> Result<Option<u32>, StoreError> {
        let table = self.database.begin_read()?.open_table(NUMBERS)?;
        Ok(table.get(&hash.0)?.map(|number| number.value()))
    }

    /// The error of a file whose content contradicts itself.
    pub(crate) fn damaged(&self, what: &'static str) -> StoreError {
        StoreError::Damaged {
            path: self.path.clone(),
            what,
        }
    }

    /// The error of a file that holds another chain.
    pub(crate) fn other_genesis(&self, found: H256, expected: H256) -> StoreError {
        StoreError::Genesis {
            path: self.path.clone(),
            found,
            expected,
        }
    }

    fn decode<T: Decode>(&self, mut bytes: &[u8], what: &'static str) -> Result<T, StoreError> {
        T::decode(&mut bytes).map_err(|_| self.damaged(what))
    }
}

impl Encode for Block {
    fn encode_to<T: codec::Output + ?Sized>(&self, output: &mut T) {
        (&self.header, &*self.body, self.timestamp).encode_to(output);
    }
}

impl Decode for Block {
    fn decode<I: codec::Input>(input: &mut I) -> Result<Self, codec::Error> {
        let (header, body, timestamp): (Header, Vec<Vec<u8>>, u64) = Decode::decode(input)?;
        Ok(Self {
            hash: header.hash(),
            header,
            body: Arc::new(body),
            timestamp,
        })
    }
}

#[cfg(test)]
mod tests;
