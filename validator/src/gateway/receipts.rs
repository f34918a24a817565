//! Receipts: what proves that a miner gave an answer, kept so that they can be asked for again.
//!
//! A receipt is the ask as this validator signed it and the answer as the miner signed it. Whoever has it, and the checkpoint that
//! the answer names, can tell without trusting anybody whether the tokens are those that the checkpoint draws. The latest are
//! kept in a store of their own, each for the key that asked; a writer of its own commits them in batches, and what it has not
//! written yet is found all the same.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use athanor_spec::Receipt;
use codec::{Decode, DecodeAll as _, Encode};
use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableDefinition,
};
use thiserror::Error;
use tokio::sync::mpsc;

/// A receipt's name: the beginning of its hash.
pub(crate) fn id(receipt: &Receipt) -> String {
    let hash = blake3::derive_key("athanor 2026-11 receipt", &receipt.to_bytes());
    format!("rcpt-{}", hex::encode(&hash[..16]))
}

/// Number of a receipt, in the order of arrival -> its name.
const ORDER: TableDefinition<'_, u64, &str> = TableDefinition::new("order");
/// Name -> [`Kept`].
const RECEIPTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("receipts");
/// Receipts that may wait to be written.
const QUEUE: usize = 1024;

/// Why receipts cannot be kept.
#[derive(Debug, Error)]
pub enum ReceiptsError {
    /// The store cannot be opened.
    #[error("cannot open the receipts {}: {source}", path.display())]
    Open {
        /// Its file.
        path: PathBuf,
        /// Cause.
        source: Box<redb::DatabaseError>,
    },
    /// The store failed.
    #[error("the store of receipts failed: {0}")]
    Storage(#[from] Box<redb::Error>),
    /// The writer does not start.
    #[error("cannot start the writer of receipts: {0}")]
    Thread(std::io::Error),
}

macro_rules! storage_error {
    ($($source:ty),*) => {$(
        impl From<$source> for ReceiptsError {
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

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Kept {
    /// Id of the key that asked.
    key: String,
    /// What is told of it, as JSON.
    body: String,
}

/// The receipts of the latest answers. Dropping it waits until the last of them is written.
pub(crate) struct Receipts {
    database: Arc<Database>,
    /// Those that are not written yet.
    waiting: Arc<Mutex<HashMap<String, Kept>>>,
    /// `None` once it is being dropped.
    writer: Option<mpsc::Sender<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Receipts {
    fn drop(&mut self) {
        drop(self.writer.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Receipts {
    /// Opens the store, which keeps at most `most` of them.
    pub(crate) fn open(path: &Path, most: u64) -> Result<Self, ReceiptsError> {
        let database = Database::create(path).map_err(|source| ReceiptsError::Open {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let transaction = database.begin_write()?;
        transaction.open_table(ORDER)?;
        transaction.open_table(RECEIPTS)?;
        transaction.commit()?;
        let (writer, mut queue) = mpsc::channel::<String>(QUEUE);
        let database = Arc::new(database);
        let waiting: Arc<Mutex<HashMap<String, Kept>>> = Arc::default();
        let (to, from) = (database.clone(), waiting.clone());
        let thread = std::thread::Builder::new()
            .name("gateway-receipts".into())
            .spawn(move || {
                let mut batch = Vec::new();
                while queue.blocking_recv_many(&mut batch, QUEUE) > 0 {
                    if let Err(error) = write(&to, &from, &batch, most) {
                        tracing::error!(%error, "receipts were not kept; their clients have them");
                    }
                    let mut waiting = from.lock().unwrap_or_else(PoisonError::into_inner);
                    batch.drain(..).for_each(|id| drop(waiting.remove(&id)));
                }
            })
            .map_err(ReceiptsError::Thread)?;
        Ok(Self {
            database,
            waiting,
            writer: Some(writer),
            thread: Some(thread),
        })
    }

    /// Keeps what is told of a receipt, for the key that asked. When the writer is far behind it is not kept.
    pub(crate) fn keep(&self, id: &str, key: &str, body: String) {
        let place = self.writer.as_ref().map(mpsc::Sender::try_reserve);
        let Some(Ok(place)) = place else {
            tracing::warn!(
                id,
                "too many receipts wait to be written: this one is not kept"
            );
            return;
        };
        let kept = Kept {
            key: key.to_owned(),
            body,
        };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(id.to_owned(), kept);
        place.send(id.to_owned());
    }

    /// What is told of a receipt, if this key asked for the answer.
    pub(crate) fn find(&self, id: &str, key: &str) -> Result<Option<String>, ReceiptsError> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let found = waiting.get(id).cloned();
        drop(waiting);
        let found = match found {
            Some(found) => Some(found),
            None => {
                let transaction = self.database.begin_read()?;
                let table = transaction.open_table(RECEIPTS)?;
                let bytes = table.get(id)?;
                // One that does not decode was written by a version with another layout.
                bytes.and_then(|bytes| Kept::decode_all(&mut bytes.value()).ok())
            }
        };
        Ok(found.filter(|kept| kept.key == key).map(|kept| kept.body))
    }
}

fn write(
    database: &Database,
    waiting: &Mutex<HashMap<String, Kept>>,
    batch: &[String],
    most: u64,
) -> Result<(), ReceiptsError> {
    let transaction = database.begin_write()?;
    {
        let mut order = transaction.open_table(ORDER)?;
        let mut receipts = transaction.open_table(RECEIPTS)?;
        let mut number = order.last()?.map_or(0, |(number, _)| number.value() + 1);
        for id in batch {
            let kept = {
                let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.get(id).map(Encode::encode)
            };
            let Some(kept) = kept else { continue };
            if receipts.insert(id.as_str(), kept.as_slice())?.is_none() {
                order.insert(number, id.as_str())?;
                number += 1;
            }
        }
        while order.len()? > most {
            let Some((_, oldest)) = order.pop_first()? else {
                break;
            };
            receipts.remove(oldest.value())?;
        }
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_found_by_their_own_key_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receipts.redb");
        let receipts = Receipts::open(&path, 3).unwrap();
        for number in 0..5 {
            receipts.keep(&format!("r{number}"), "mine", number.to_string());
            // At once, written or not.
            let found = receipts.find(&format!("r{number}"), "mine").unwrap();
            assert_eq!(found, Some(number.to_string()));
        }
        drop(receipts);
        let receipts = Receipts::open(&path, 3).unwrap();
        let found = |id: &str, key: &str| receipts.find(id, key).unwrap();
        assert_eq!(found("r1", "mine"), None, "only three are kept");
        assert_eq!(found("r4", "mine"), Some("4".into()));
        assert_eq!(found("r4", "another"), None);
        assert_eq!(found("r9", "mine"), None);
    }
}
