//! The durable ledger: one embedded transactional store, keyed by hotkey and registration block, never by UID.
//!
//! While a round is open, what came of each ask is one leaf, on disk when [`Book::append`] returns, and nothing else
//! changes. When the round is closed, the records that follow from its leaves are written in one transaction with the
//! mark that it is closed ([`Book::close`]). So a validator that was killed at any moment either continues the open round
//! or finds it closed; nothing is lost or counted twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use athanor_scoring::{
    ledger::{AskOutcome, Record},
    rank::Crown,
    round::{Artifact, Ledger, Purpose},
    transcript::{Head, Leaf},
};
use athanor_spec::{Digest, Round, Uid};
use codec::{Decode, DecodeAll, Encode};
use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase as _, ReadableTable,
    TableDefinition, WriteTransaction,
};
use thiserror::Error;

mod watched;

pub use athanor_scoring::round::Claim;
pub use athanor_spec::Account;

/// Version of the layout below; a ledger of a later version is refused rather than misread.
const SCHEMA: u32 = 3;
/// The version in which no model was compared with another: of pasts it knows what claims tell.
const UNCOMPARED: u32 = 2;
/// The version in which outcomes were folded into records as they came. Its claims are the same, and its records are read.
const FOLDED_AT_ONCE: u32 = 1;

const META: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");
/// Numbers that only grow.
const MARKS: TableDefinition<'_, &str, u64> = TableDefinition::new("marks");
/// [`Account`] -> [`Record`].
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
/// ([`Account`], round, ask index), big-endian so that the order is chronological -> [`AskOutcome`], of closed rounds.
const OUTCOMES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("outcomes");
/// Tensors digest -> [`Claim`].
const ARTIFACTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("artifacts");
/// [`Account`] -> [`athanor_scoring::round::Past`].
const PASTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pasts");
/// The one crown of the subnet -> [`Crown`].
const CROWN: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("crown");
/// Round -> [`Head`], from the moment it begins.
const ROUNDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rounds");
/// (round, [`Account`], purpose, index) -> [`Leaf`], of open rounds.
const LEAVES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("leaves");
/// (round, [`Account`]) -> [`Artifact`], of open rounds.
const SEEN: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("seen_artifacts");
/// Round -> [`ClosedRound`].
const CLOSED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("closed");

/// Empty bytes of the file for which it is compacted at the start.
const WORTH: u64 = 64 << 20;
/// Key of [`CROWN`]'s only entry.
const CROWN_KEY: &str = "crown";
/// Key in [`MARKS`]: nonces below it may have been used.
const NONCES: &str = "nonces";
/// Key in [`MARKS`]: the last round that was closed.
const LAST: &str = "last_closed";

/// What stays of a round once it is closed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ClosedRound {
    /// Root of its transcript.
    pub root: Digest,
    /// blake3 of the transcript's bytes.
    pub blob: Digest,
    /// The weights that follow from it.
    pub weights: Vec<(Uid, u16)>,
    /// Digest of the ledger after it.
    pub ledger: Digest,
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
    path: PathBuf,
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
                // What was counted stays counted: the records hold it. Single outcomes had another layout and were for
                // show only.
                Some(FOLDED_AT_ONCE) => {
                    transaction.delete_table(OUTCOMES)?;
                    meta.insert("schema", SCHEMA)?;
                    note_pasts(&transaction)?;
                }
                Some(UNCOMPARED) => {
                    meta.insert("schema", SCHEMA)?;
                    note_pasts(&transaction)?;
                }
                Some(SCHEMA) => {}
                Some(found) => {
                    return Err(BookError::Schema {
                        path: path.to_owned(),
                        found,
                    });
                }
            }
            transaction.open_table(MARKS)?;
            for table in [RECORDS, OUTCOMES, ARTIFACTS, PASTS, LEAVES, SEEN] {
                transaction.open_table(table)?;
            }
            transaction.open_table(CROWN)?;
            transaction.open_table(ROUNDS)?;
            transaction.open_table(CLOSED)?;
            transaction.open_table(watched::WATCHED)?;
        }
        transaction.commit()?;
        Ok(Self {
            database,
            path: path.to_owned(),
        })
    }

    /// Gives back the space that the file no longer needs; whether there was any. Nothing else may be going on.
    pub fn compact(&mut self) -> Result<bool, BookError> {
        let compacted = self.database.compact();
        compacted.map_err(|error| BookError::Storage(Box::new(error.into())))
    }

    /// Compacts a file that has become mostly empty: more than [`WORTH`] bytes, and more than half of it.
    pub fn tidy(&mut self) -> Result<bool, BookError> {
        let transaction = self.database.begin_write()?;
        let stats = transaction.stats()?;
        transaction.abort()?;
        let used = stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes();
        let whole = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        let empty = whole.saturating_sub(used);
        Ok(empty > WORTH && empty > used && self.compact()?)
    }

    /// Sets `count` nonces from at least `from` aside, above all that were ever set aside; returns the first.
    pub fn reserve_nonces(&self, from: u64, count: u64) -> Result<u64, BookError> {
        let transaction = self.database.begin_write()?;
        let first = {
            let mut marks = transaction.open_table(MARKS)?;
            let used = marks.get(NONCES)?.map_or(0, |mark| mark.value());
            let first = from.max(used);
            marks.insert(NONCES, first.saturating_add(count))?;
            first
        };
        transaction.commit()?;
        Ok(first)
    }

    /// Begins a round, unless it was begun before: then the head of that time stands, and is returned.
    pub fn begin(&self, head: Head) -> Result<Head, BookError> {
        let transaction = self.database.begin_write()?;
        let head = {
            let mut rounds = transaction.open_table(ROUNDS)?;
            let known = match rounds.get(head.round.0)? {
                Some(bytes) => Some(decode::<Head>("rounds", bytes.value())?),
                None => None,
            };
            match known {
                Some(known) => known,
                None => {
                    rounds.insert(head.round.0, head.encode().as_slice())?;
                    head
                }
            }
        };
        transaction.commit()?;
        Ok(head)
    }

    /// The heads of all rounds that are kept, oldest first, each with what stays of it once it is closed.
    pub fn rounds(&self) -> Result<Vec<(Head, Option<ClosedRound>)>, BookError> {
        let transaction = self.database.begin_read()?;
        let rounds = transaction.open_table(ROUNDS)?;
        let closed = transaction.open_table(CLOSED)?;
        let mut all = Vec::new();
        for entry in rounds.iter()? {
            let (round, head) = entry?;
            let closed = match closed.get(round.value())? {
                Some(bytes) => Some(decode("closed", bytes.value())?),
                None => None,
            };
            all.push((decode("rounds", head.value())?, closed));
        }
        Ok(all)
    }

    /// What stays of a closed round; `None` while it is open.
    pub fn closed(&self, round: Round) -> Result<Option<ClosedRound>, BookError> {
        let transaction = self.database.begin_read()?;
        match transaction.open_table(CLOSED)?.get(round.0)? {
            Some(bytes) => Ok(Some(decode("closed", bytes.value())?)),
            None => Ok(None),
        }
    }

    /// Writes leaves of an open round down, each once; how many were new. Durable when it returns. `None` if the round
    /// is closed, which takes no more.
    pub fn append(&self, round: Round, leaves: &[Leaf]) -> Result<Option<usize>, BookError> {
        let transaction = self.database.begin_write()?;
        let open = transaction.open_table(CLOSED)?.get(round.0)?.is_none();
        let mut new = 0;
        if open {
            let mut table = transaction.open_table(LEAVES)?;
            for leaf in leaves {
                let key = leaf_key(round, leaf);
                if table.get(key.as_slice())?.is_none() {
                    table.insert(key.as_slice(), leaf.encode().as_slice())?;
                    new += 1;
                }
            }
        }
        transaction.commit()?;
        Ok(open.then_some(new))
    }

    /// Notes what became of a checkpoint in an open round. What was fetched once stays fetched, and what was compared stays
    /// compared.
    pub fn saw(
        &self,
        round: Round,
        account: &Account,
        artifact: &Artifact,
    ) -> Result<(), BookError> {
        let transaction = self.database.begin_write()?;
        if transaction.open_table(CLOSED)?.get(round.0)?.is_none() {
            let mut table = transaction.open_table(SEEN)?;
            let key = seen_key(round, account);
            let known = match table.get(key.as_slice())? {
                Some(bytes) => decode("seen_artifacts", bytes.value())?,
                None => Artifact::Missing,
            };
            let stays = match known {
                Artifact::Compared { .. } => true,
                Artifact::Fetched { .. } => !matches!(artifact, Artifact::Compared { .. }),
                Artifact::Missing | Artifact::Bad { .. } => false,
            };
            if !stays {
                table.insert(key.as_slice(), artifact.encode().as_slice())?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// What became of the checkpoints of an open round, by account.
    pub fn seen(&self, round: Round) -> Result<BTreeMap<Account, Artifact>, BookError> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(SEEN)?;
        let mut all = BTreeMap::new();
        for entry in table.range(of_round(round).0.as_slice()..of_round(round).1.as_slice())? {
            let (key, value) = entry?;
            let account = decode("seen_artifacts", &key.value()[ROUND_BYTES..])?;
            all.insert(account, decode("seen_artifacts", value.value())?);
        }
        Ok(all)
    }

    /// The leaves of an open round.
    pub fn leaves(&self, round: Round) -> Result<Vec<Leaf>, BookError> {
        let transaction = self.database.begin_read()?;
        leaves_of(&transaction, round)
    }

    /// Which of an account's asks of an open round have a leaf already.
    pub fn recorded(&self, account: &Account, round: Round) -> Result<BTreeSet<u32>, BookError> {
        let leaves = self.leaves(round)?;
        Ok(leaves
            .iter()
            .filter(|leaf| leaf.account == *account && leaf.purpose == Purpose::Audit)
            .map(|leaf| leaf.index)
            .collect())
    }

    /// The whole ledger as the last closed round left it.
    pub fn ledger(&self) -> Result<Ledger, BookError> {
        let transaction = self.database.begin_read()?;
        let records = records_of(&transaction.open_table(RECORDS)?)?;
        let claims = rows("artifacts", &transaction.open_table(ARTIFACTS)?)?;
        let pasts = rows("pasts", &transaction.open_table(PASTS)?)?;
        let crown = match transaction.open_table(CROWN)?.get(CROWN_KEY)? {
            Some(bytes) => decode("crown", bytes.value())?,
            None => Crown::default(),
        };
        let marks = transaction.open_table(MARKS)?;
        let last = marks.get(LAST)?.map(|round| Round(round.value()));
        Ok(Ledger::of(last, records, claims, pasts, crown))
    }

    /// Closes a round: writes down what changed from one ledger to the next, and that the round is closed; its leaves
    /// leave, and what they counted as stays. One transaction, durable when it returns.
    pub fn close(
        &self,
        round: Round,
        (before, after): (&Ledger, &Ledger),
        closed: &ClosedRound,
    ) -> Result<(), BookError> {
        let leaves = self.leaves(round)?;
        let transaction = self.database.begin_write()?;
        {
            let mut records = transaction.open_table(RECORDS)?;
            for (account, record) in after.records() {
                if before.records().get(account) != Some(record) {
                    records.insert(account.encode().as_slice(), record.to_bytes().as_slice())?;
                }
            }
            let mut claims = transaction.open_table(ARTIFACTS)?;
            for (tensors, claim) in after.claims() {
                if before.claims().get(tensors) != Some(claim) {
                    claims.insert(tensors.0.as_slice(), claim.encode().as_slice())?;
                }
            }
            for tensors in before.claims().keys() {
                if !after.claims().contains_key(tensors) {
                    claims.remove(tensors.0.as_slice())?;
                }
            }
            let mut pasts = transaction.open_table(PASTS)?;
            for (account, past) in after.pasts() {
                if before.pasts().get(account) != Some(past) {
                    pasts.insert(account.encode().as_slice(), past.encode().as_slice())?;
                }
            }
            let mut crown = transaction.open_table(CROWN)?;
            crown.insert(CROWN_KEY, after.crown().encode().as_slice())?;
            let mut outcomes = transaction.open_table(OUTCOMES)?;
            for leaf in leaves.iter().filter(|leaf| leaf.purpose == Purpose::Audit) {
                if let Some(outcome) = leaf.outcome() {
                    let key = outcome_key(&leaf.account, round, leaf.index);
                    outcomes.insert(key.as_slice(), outcome.encode().as_slice())?;
                }
            }
            let (from, to) = of_round(round);
            let mut open = transaction.open_table(LEAVES)?;
            open.retain_in(from.as_slice()..to.as_slice(), |_, _| false)?;
            let mut seen = transaction.open_table(SEEN)?;
            seen.retain_in(from.as_slice()..to.as_slice(), |_, _| false)?;
            if let Some(last) = after.last() {
                transaction.open_table(MARKS)?.insert(LAST, last.0)?;
            }
            let mut table = transaction.open_table(CLOSED)?;
            table.insert(round.0, closed.encode().as_slice())?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// An account's record as the last closed round left it, empty when there is none.
    pub fn record(&self, account: &Account) -> Result<Record, BookError> {
        let transaction = self.database.begin_read()?;
        let records = transaction.open_table(RECORDS)?;
        match records.get(account.encode().as_slice())? {
            Some(bytes) => Record::from_bytes(bytes.value())
                .map_err(|_| BookError::Corrupt { table: "records" }),
            None => Ok(Record::default()),
        }
    }

    /// Every stored outcome, of closed rounds and of the open one, in chronological order per account.
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
        for entry in transaction.open_table(LEAVES)?.iter()? {
            let (key, value) = entry?;
            let leaf: Leaf = decode("leaves", value.value())?;
            if let (Purpose::Audit, Some(outcome)) = (leaf.purpose, leaf.outcome()) {
                all.push(StoredOutcome {
                    account: leaf.account,
                    round: round_of(key.value())?,
                    index: leaf.index,
                    outcome: *outcome,
                });
            }
        }
        all.sort_by_key(|stored| (stored.account, stored.round, stored.index));
        Ok(all)
    }

    /// Drops what is kept of single rounds before `oldest` (the records stay), to bound the file. An open round stays.
    pub fn prune(&self, oldest: Round) -> Result<(), BookError> {
        let transaction = self.database.begin_write()?;
        {
            let mut outcomes = transaction.open_table(OUTCOMES)?;
            outcomes.retain(|key, _| split_key(key).is_ok_and(|(_, round, _)| round >= oldest))?;
            let mut closed = transaction.open_table(CLOSED)?;
            let mut rounds = transaction.open_table(ROUNDS)?;
            let mut dropped = BTreeSet::new();
            closed.retain(|round, _| {
                let keep = round >= oldest.0;
                if !keep {
                    dropped.insert(round);
                }
                keep
            })?;
            rounds.retain(|round, _| !dropped.contains(&round))?;
        }
        transaction.commit()?;
        Ok(())
    }
}

fn records_of(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
) -> Result<BTreeMap<Account, Record>, BookError> {
    let mut records = BTreeMap::new();
    for entry in table.iter()? {
        let (key, value) = entry?;
        let record = Record::from_bytes(value.value())
            .map_err(|_| BookError::Corrupt { table: "records" })?;
        records.insert(decode("records", key.value())?, record);
    }
    Ok(records)
}

/// A whole table of encoded keys and values.
fn rows<K: DecodeAll + Ord, V: DecodeAll>(
    name: &'static str,
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
) -> Result<BTreeMap<K, V>, BookError> {
    let mut rows = BTreeMap::new();
    for entry in table.iter()? {
        let (key, value) = entry?;
        rows.insert(decode(name, key.value())?, decode(name, value.value())?);
    }
    Ok(rows)
}

/// Fills the pasts of a ledger that had none.
fn note_pasts(transaction: &WriteTransaction) -> Result<(), BookError> {
    let records = records_of(&transaction.open_table(RECORDS)?)?;
    let claims = rows("artifacts", &transaction.open_table(ARTIFACTS)?)?;
    let mut pasts = transaction.open_table(PASTS)?;
    for (account, past) in Ledger::pasts_of_claims(&records, &claims) {
        pasts.insert(account.encode().as_slice(), past.encode().as_slice())?;
    }
    Ok(())
}

const ACCOUNT_BYTES: usize = 36;
const ROUND_BYTES: usize = 8;

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

fn leaf_key(round: Round, leaf: &Leaf) -> Vec<u8> {
    let mut key = round.0.to_be_bytes().to_vec();
    key.extend((leaf.account, leaf.purpose).encode());
    key.extend_from_slice(&leaf.index.to_be_bytes());
    key
}

fn seen_key(round: Round, account: &Account) -> Vec<u8> {
    let mut key = round.0.to_be_bytes().to_vec();
    key.extend(account.encode());
    key
}

/// The range of keys that begin with a round.
fn of_round(round: Round) -> ([u8; ROUND_BYTES], [u8; ROUND_BYTES]) {
    (
        round.0.to_be_bytes(),
        round.0.saturating_add(1).to_be_bytes(),
    )
}

fn round_of(key: &[u8]) -> Result<Round, BookError> {
    let first = key.first_chunk::<ROUND_BYTES>();
    let bytes = first.ok_or(BookError::Corrupt { table: "leaves" })?;
    Ok(Round(u64::from_be_bytes(*bytes)))
}

fn leaves_of(transaction: &ReadTransaction, round: Round) -> Result<Vec<Leaf>, BookError> {
    let table = transaction.open_table(LEAVES)?;
    let (from, to) = of_round(round);
    let mut leaves = Vec::new();
    for entry in table.range(from.as_slice()..to.as_slice())? {
        leaves.push(decode("leaves", entry?.1.value())?);
    }
    Ok(leaves)
}

fn decode<T: DecodeAll>(table: &'static str, mut bytes: &[u8]) -> Result<T, BookError> {
    T::decode_all(&mut bytes).map_err(|_| BookError::Corrupt { table })
}

#[cfg(test)]
pub(crate) mod tests;
