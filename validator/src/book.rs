//! The durable ledger: one embedded transactional store, keyed by hotkey and registration block, never by UID.
//!
//! An outcome and the record that it changes are written in one transaction and are on disk when [`Book::append`]
//! returns. An outcome that is already there is not counted again, so a validator that was killed and asks the rest of
//! its round after the restart neither loses nor doubles anything.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use athanor_scoring::ledger::{AskOutcome, Record};
use athanor_spec::{BlockNumber, Digest, Hotkey, Round};
use codec::{Decode, DecodeAll, Encode};
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde::Serialize;
use thiserror::Error;

/// Version of the layout below; a ledger of another version is refused rather than misread.
const SCHEMA: u32 = 1;

const META: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");
/// [`Account`] -> [`Record`].
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
/// ([`Account`], round, ask index), big-endian so that the order is chronological -> [`AskOutcome`].
const OUTCOMES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("outcomes");
/// Tensors digest -> [`Claim`].
const ARTIFACTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("artifacts");

/// A hotkey in one of its registrations: a recycled UID or a new registration starts empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize)]
pub struct Account {
    /// Who.
    pub hotkey: Hotkey,
    /// Block of the registration.
    pub registered_at: BlockNumber,
}

/// The first account that was seen to commit to certain tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Claim {
    /// Who committed first.
    pub account: Account,
    /// In which block.
    pub committed_at: BlockNumber,
    /// Digest of the manifest that was committed.
    pub manifest: Digest,
}

/// Why the ledger cannot be used.
#[derive(Debug, Error)]
pub enum BookError {
    /// Another process has the ledger open.
    #[error("the ledger {} is in use by another process: stop it, or choose another --data-dir", path.display())]
    Locked {
        /// Ledger file.
        path: PathBuf,
    },
    /// The file cannot be opened or created.
    #[error("cannot open the ledger {}: {source}", path.display())]
    Open {
        /// Ledger file.
        path: PathBuf,
        /// Cause.
        source: Box<DatabaseError>,
    },
    /// Written by a version of this program with another layout.
    #[error("the ledger {} has schema {found}, this program reads {SCHEMA}: use the version that wrote it", path.display())]
    Schema {
        /// Ledger file.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// A stored value does not decode.
    #[error(
        "the ledger's table `{table}` holds a value that does not decode: restore it from a backup"
    )]
    Corrupt {
        /// Name of the table.
        table: &'static str,
    },
    /// The store failed (disk full, I/O error).
    #[error("the ledger failed: {0}")]
    Storage(#[from] Box<redb::Error>),
}

macro_rules! storage_error {
    ($($source:ty),*) => {$(
        impl From<$source> for BookError {
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

/// An outcome as exported.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredOutcome {
    /// Whose.
    pub account: Account,
    /// In which round.
    pub round: Round,
    /// Position among the account's asks of the round.
    pub index: u32,
    /// What was found.
    pub outcome: AskOutcome,
}

/// The open ledger.
pub struct Book {
    database: Database,
}

impl Book {
    /// Opens the ledger at `path`, creating it when absent.
    pub fn open(path: &Path) -> Result<Self, BookError> {
        let database = Database::create(path).map_err(|source| match source {
            DatabaseError::DatabaseAlreadyOpen => BookError::Locked {
                path: path.to_owned(),
            },
            source => BookError::Open {
                path: path.to_owned(),
                source: Box::new(source),
            },
        })?;
        let transaction = database.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            let found = meta.get("schema")?.map(|value| value.value());
            match found {
                None => {
                    meta.insert("schema", SCHEMA)?;
                }
                Some(SCHEMA) => {}
                Some(found) => {
                    return Err(BookError::Schema {
                        path: path.to_owned(),
                        found,
                    });
                }
            }
            transaction.open_table(RECORDS)?;
            transaction.open_table(OUTCOMES)?;
            transaction.open_table(ARTIFACTS)?;
        }
        transaction.commit()?;
        Ok(Self { database })
    }

    /// Writes an account's outcomes of a round and folds the new ones into its record; returns the record and how many
    /// were new. Durable when it returns.
    pub fn append(
        &self,
        account: Account,
        round: Round,
        outcomes: &[(u32, AskOutcome)],
        fold: impl Fn(&mut Record, u32, &AskOutcome),
    ) -> Result<(Record, usize), BookError> {
        let transaction = self.database.begin_write()?;
        let mut new = 0;
        let record = {
            let mut records = transaction.open_table(RECORDS)?;
            let mut table = transaction.open_table(OUTCOMES)?;
            let key = account.encode();
            let mut record = load(&records, &key)?;
            for (index, outcome) in outcomes {
                let outcome_key = outcome_key(&account, round, *index);
                if table.get(outcome_key.as_slice())?.is_some() {
                    continue;
                }
                table.insert(outcome_key.as_slice(), outcome.encode().as_slice())?;
                fold(&mut record, *index, outcome);
                new += 1;
            }
            records.insert(key.as_slice(), record.to_bytes().as_slice())?;
            record
        };
        transaction.commit()?;
        Ok((record, new))
    }

    /// An account's record, empty when there is none.
    pub fn record(&self, account: &Account) -> Result<Record, BookError> {
        let transaction = self.database.begin_read()?;
        let records = transaction.open_table(RECORDS)?;
        load(&records, &account.encode())
    }

    /// Changes a record in one transaction (decay at the end of a round, a fault found outside of an ask).
    pub fn update(
        &self,
        account: &Account,
        change: impl FnOnce(&mut Record),
    ) -> Result<Record, BookError> {
        let transaction = self.database.begin_write()?;
        let record = {
            let mut records = transaction.open_table(RECORDS)?;
            let key = account.encode();
            let mut record = load(&records, &key)?;
            change(&mut record);
            records.insert(key.as_slice(), record.to_bytes().as_slice())?;
            record
        };
        transaction.commit()?;
        Ok(record)
    }

    /// Which of an account's asks of a round already have an outcome.
    pub fn recorded(&self, account: &Account, round: Round) -> Result<BTreeSet<u32>, BookError> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(OUTCOMES)?;
        let (low, high) = (
            outcome_key(account, round, 0),
            outcome_key(account, round, u32::MAX),
        );
        let mut indices = BTreeSet::new();
        for entry in table.range(low.as_slice()..=high.as_slice())? {
            let (key, _) = entry?;
            indices.insert(split_key(key.value())?.2);
        }
        Ok(indices)
    }

    /// Registers that `claim.account` committed to these tensors; returns the earliest claim known.
    pub fn claim(&self, tensors: &Digest, claim: Claim) -> Result<Claim, BookError> {
        let transaction = self.database.begin_write()?;
        let first = {
            let mut artifacts = transaction.open_table(ARTIFACTS)?;
            let known = match artifacts.get(tensors.0.as_slice())? {
                Some(bytes) => Some(decode::<Claim>("artifacts", bytes.value())?),
                None => None,
            };
            match known {
                Some(known) if known.committed_at <= claim.committed_at => known,
                _ => {
                    artifacts.insert(tensors.0.as_slice(), claim.encode().as_slice())?;
                    claim
                }
            }
        };
        transaction.commit()?;
        Ok(first)
    }

    /// Every stored outcome in chronological order per account.
    pub fn outcomes(&self) -> Result<Vec<StoredOutcome>, BookError> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(OUTCOMES)?;
        let mut all = Vec::new();
        for entry in table.iter()? {
            let (key, value) = entry?;
            let (account, round, index) = split_key(key.value())?;
            let outcome = decode("outcomes", value.value())?;
            all.push(StoredOutcome {
                account,
                round,
                index,
                outcome,
            });
        }
        Ok(all)
    }

    /// Drops the outcomes (not the records) of rounds before `oldest`, to bound the file.
    pub fn prune(&self, oldest: Round) -> Result<(), BookError> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(OUTCOMES)?;
            table.retain(|key, _| split_key(key).is_ok_and(|(_, round, _)| round >= oldest))?;
        }
        transaction.commit()?;
        Ok(())
    }
}

const ACCOUNT_BYTES: usize = 36;

fn outcome_key(account: &Account, round: Round, index: u32) -> Vec<u8> {
    let mut key = account.encode();
    key.extend_from_slice(&round.0.to_be_bytes());
    key.extend_from_slice(&index.to_be_bytes());
    key
}

fn split_key(key: &[u8]) -> Result<(Account, Round, u32), BookError> {
    let corrupt = || BookError::Corrupt { table: "outcomes" };
    let (account, rest) = key.split_at_checked(ACCOUNT_BYTES).ok_or_else(corrupt)?;
    let account = Account::decode_all(&mut &*account).map_err(|_| corrupt())?;
    let (round, index) = rest.split_at_checked(8).ok_or_else(corrupt)?;
    let round = u64::from_be_bytes(round.try_into().map_err(|_| corrupt())?);
    let index = u32::from_be_bytes(index.try_into().map_err(|_| corrupt())?);
    Ok((account, Round(round), index))
}

/// The record under `key`, empty when there is none.
fn load(
    records: &impl redb::ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<Record, BookError> {
    match records.get(key)? {
        Some(bytes) => {
            Record::from_bytes(bytes.value()).map_err(|_| BookError::Corrupt { table: "records" })
        }
        None => Ok(Record::default()),
    }
}

fn decode<T: DecodeAll>(table: &'static str, mut bytes: &[u8]) -> Result<T, BookError> {
    T::decode_all(&mut bytes).map_err(|_| BookError::Corrupt { table })
}

#[cfg(test)]
mod tests;
