//! Hold extrinsics until a block takes them.
//!
//! The runtime says what an extrinsic requires and provides, as tags (an account's next nonce, for instance). One is
//! ready when the chain or other ready ones provide what it requires. The pool is bounded, in number and in bytes.

use std::{
    collections::{BinaryHeap, HashMap, HashSet},
    sync::Arc,
};

use codec::{Compact, Decode, Encode};
use sp_core::H256;
use sp_runtime::{
    traits::{BlakeTwo256, Hash},
    transaction_validity::{
        InvalidTransaction, TransactionSource, TransactionValidity, TransactionValidityError,
        UnknownTransaction, ValidTransaction,
    },
};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::{chain::Chain, executor};

/// Most extrinsics held.
const MAX_EXTRINSICS: usize = 8_192;
/// Most bytes held.
const MAX_BYTES: usize = 32 << 20;

type Tag = Vec<u8>;

/// What becomes of an extrinsic that somebody watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It waits for another.
    Future,
    /// It can be included.
    Ready,
    /// A block has it.
    InBlock(H256),
    /// That block is final.
    Finalized(H256),
    /// Another took its place.
    Usurped(H256),
    /// It cannot be included any more.
    Invalid,
}

/// An extrinsic was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// It is not one length-prefixed byte string.
    #[error("Extrinsic has invalid format")]
    Format,
    /// The runtime cannot read it.
    #[error("Verification Error: {0}")]
    Verification(String),
    /// The runtime will not include it.
    #[error("Invalid Transaction")]
    Invalid(InvalidTransaction),
    /// The runtime cannot say whether it can be included.
    #[error("Unknown Transaction Validity")]
    Unknown(UnknownTransaction),
    /// The pool has it.
    #[error("Transaction is already imported")]
    AlreadyImported(H256),
    /// The pool has another in its place that pays at least as much.
    #[error("Priority is too low")]
    PriorityTooLow {
        /// Priority of the one in the pool.
        old: u64,
        /// Priority of this one.
        new: u64,
    },
    /// The pool is full.
    #[error("Immediately Dropped")]
    Full,
}

/// An extrinsic that the pool offers to a block.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub(crate) hash: H256,
    pub(crate) bytes: Arc<Vec<u8>>,
    provides: Vec<Tag>,
}

struct Entry {
    candidate: Candidate,
    requires: Vec<Tag>,
    priority: u64,
    /// Last block that may include it.
    valid_till: u64,
    /// First block that may include it.
    not_before: u32,
    /// Order of arrival.
    arrival: u64,
    watcher: Option<mpsc::Sender<Status>>,
}

impl Entry {
    /// Tells the watcher, who may have gone; a watcher's channel holds more than an extrinsic's statuses.
    fn tell(&self, status: Status) {
        if let Some(watcher) = &self.watcher {
            let _ = watcher.try_send(status);
        }
    }
}

/// The extrinsics that wait.
#[derive(Default)]
pub(crate) struct Pool {
    entries: HashMap<H256, Entry>,
    provided: HashMap<Tag, H256>,
    bytes: usize,
    arrivals: u64,
}

/// Statuses that a watched extrinsic can go through at most.
pub(crate) const WATCH_CAPACITY: usize = 8;

impl Chain {
    /// Checks an extrinsic (with its length prefix) against the newest state and takes it into the pool.
    pub(crate) fn submit(
        &self,
        bytes: Vec<u8>,
        watcher: Option<mpsc::Sender<Status>>,
    ) -> Result<H256, SubmitError> {
        check_format(&bytes)?;
        let hash = BlakeTwo256::hash(&bytes);
        if self.pool().entries.contains_key(&hash) {
            return Err(SubmitError::AlreadyImported(hash));
        }
        let delay = self.faults().inclusion_delay();
        let (mut number, mut validity) = self.validate(&bytes)?;
        let mut pool = self.pool();
        // What is required depends on the block that it was asked of: ask again if there is a newer one.
        loop {
            let newest = self.read(|ledger| ledger.best().header.number);
            if newest == number {
                break;
            }
            (number, validity) = self.validate(&bytes)?;
        }
        pool.insert(hash, bytes, number, validity, watcher)?;
        if delay > 0 {
            pool.delay(&hash, number.saturating_add(1).saturating_add(delay));
        }
        drop(pool);
        self.submitted().notify_one();
        Ok(hash)
    }

    /// What the runtime says of an extrinsic, and after which block.
    fn validate(&self, bytes: &[u8]) -> Result<(u32, ValidTransaction), SubmitError> {
        let (number, hash, state) = self.read(|ledger| {
            let best = ledger.best();
            (best.header.number, best.hash, ledger.best_state())
        });
        let mut data = TransactionSource::External.encode();
        data.extend_from_slice(bytes);
        hash.encode_to(&mut data);
        let answer = executor::query(&state, "TaggedTransactionQueue_validate_transaction", &data)
            .map_err(|error| SubmitError::Verification(error.to_string()))?;
        match TransactionValidity::decode(&mut &answer[..]) {
            Ok(Ok(validity)) => Ok((number, validity)),
            Ok(Err(TransactionValidityError::Invalid(reason))) => Err(SubmitError::Invalid(reason)),
            Ok(Err(TransactionValidityError::Unknown(reason))) => Err(SubmitError::Unknown(reason)),
            Err(error) => Err(SubmitError::Verification(error.to_string())),
        }
    }
}

/// Whether the bytes are a length and as many bytes.
fn check_format(bytes: &[u8]) -> Result<(), SubmitError> {
    let mut rest = bytes;
    match Compact::<u32>::decode(&mut rest) {
        Ok(Compact(length)) if usize::try_from(length) == Ok(rest.len()) => Ok(()),
        _ => Err(SubmitError::Format),
    }
}

impl Pool {
    fn insert(
        &mut self,
        hash: H256,
        bytes: Vec<u8>,
        number: u32,
        validity: ValidTransaction,
        watcher: Option<mpsc::Sender<Status>>,
    ) -> Result<(), SubmitError> {
        if self.entries.contains_key(&hash) {
            return Err(SubmitError::AlreadyImported(hash));
        }
        let rivals: HashSet<H256> = validity
            .provides
            .iter()
            .filter_map(|tag| self.provided.get(tag))
            .copied()
            .collect();
        let strongest = rivals
            .iter()
            .map(|rival| self.entries[rival].priority)
            .max();
        if let Some(old) = strongest.filter(|old| *old >= validity.priority) {
            return Err(SubmitError::PriorityTooLow {
                old,
                new: validity.priority,
            });
        }
        if rivals.is_empty()
            && (self.entries.len() >= MAX_EXTRINSICS || self.bytes + bytes.len() > MAX_BYTES)
        {
            return Err(SubmitError::Full);
        }
        for rival in rivals {
            self.remove(&rival, Status::Usurped(hash));
        }
        self.arrivals += 1;
        self.bytes += bytes.len();
        for tag in &validity.provides {
            self.provided.insert(tag.clone(), hash);
        }
        let provides = validity.provides;
        let entry = Entry {
            candidate: Candidate {
                hash,
                bytes: Arc::new(bytes),
                provides,
            },
            requires: validity.requires,
            priority: validity.priority,
            valid_till: u64::from(number).saturating_add(validity.longevity),
            not_before: 0,
            arrival: self.arrivals,
            watcher,
        };
        let ready = entry
            .requires
            .iter()
            .all(|tag| self.provided.contains_key(tag));
        entry.tell(if ready { Status::Ready } else { Status::Future });
        self.entries.insert(hash, entry);
        Ok(())
    }

    fn remove(&mut self, hash: &H256, status: Status) {
        if let Some(entry) = self.entries.remove(hash) {
            self.bytes -= entry.candidate.bytes.len();
            for tag in &entry.candidate.provides {
                if self.provided.get(tag) == Some(hash) {
                    self.provided.remove(tag);
                }
            }
            entry.tell(status);
        }
    }

    /// Holds an extrinsic back until the block of this number.
    fn delay(&mut self, hash: &H256, not_before: u32) {
        if let Some(entry) = self.entries.get_mut(hash) {
            entry.not_before = not_before;
        }
    }

    /// The extrinsics that the block of this number can take, in the order in which it should: by priority, then by
    /// arrival, none before what it requires.
    pub(crate) fn ready(&self, number: u32) -> Vec<Candidate> {
        let mut missing: HashMap<H256, usize> = HashMap::new();
        let mut waiting: HashMap<&Tag, Vec<H256>> = HashMap::new();
        let mut heap = BinaryHeap::new();
        let rank = |entry: &Entry| {
            (
                entry.priority,
                std::cmp::Reverse(entry.arrival),
                entry.candidate.hash,
            )
        };
        for (hash, entry) in &self.entries {
            if entry.requires.is_empty() && entry.not_before <= number {
                heap.push(rank(entry));
            }
            missing.insert(*hash, entry.requires.len());
            for tag in &entry.requires {
                waiting.entry(tag).or_default().push(*hash);
            }
        }
        let mut ordered = Vec::new();
        while let Some((_, _, hash)) = heap.pop() {
            let entry = &self.entries[&hash];
            ordered.push(entry.candidate.clone());
            for next in entry
                .candidate
                .provides
                .iter()
                .filter_map(|tag| waiting.remove(tag))
                .flatten()
            {
                let count = missing.entry(next).or_default();
                *count = count.saturating_sub(1);
                let entry = &self.entries[&next];
                if *count == 0 && entry.not_before <= number {
                    heap.push(rank(entry));
                }
            }
        }
        ordered
    }

    /// Follows a new block: what it included is done, what it refused or what cannot be included any more is dropped,
    /// and what waited for something in it waits no longer.
    pub(crate) fn advance(
        &mut self,
        number: u32,
        block: H256,
        included: &[Candidate],
        refused: &[Candidate],
    ) {
        let mut provided: HashSet<&Tag> = HashSet::new();
        for candidate in included {
            provided.extend(&candidate.provides);
            if let Some(entry) = self.entries.get(&candidate.hash) {
                entry.tell(Status::InBlock(block));
            }
            self.remove(&candidate.hash, Status::Finalized(block));
        }
        // Another that provides the same may have come in while the block was made: its place is taken.
        let late: Vec<H256> = provided
            .iter()
            .filter_map(|tag| self.provided.get(*tag))
            .copied()
            .collect();
        for hash in late {
            self.remove(&hash, Status::Invalid);
        }
        for entry in self.entries.values_mut() {
            let waited = !entry.requires.is_empty();
            entry.requires.retain(|tag| !provided.contains(tag));
            if waited && entry.requires.is_empty() {
                entry.tell(Status::Ready);
            }
        }
        let stale: Vec<H256> = refused
            .iter()
            .map(|candidate| candidate.hash)
            .chain(
                self.entries
                    .values()
                    .filter(|entry| entry.valid_till < u64::from(number) + 1)
                    .map(|entry| entry.candidate.hash),
            )
            .collect();
        for hash in stale {
            self.remove(&hash, Status::Invalid);
        }
    }

    /// How many extrinsics of `account` follow its nonce `from` without a gap.
    pub(crate) fn pending_nonces(&self, account: &[u8; 32], from: u32) -> u32 {
        let run =
            (from..).take_while(|nonce| self.provided.contains_key(&(account, nonce).encode()));
        u32::try_from(run.count()).unwrap_or(u32::MAX)
    }

    /// All extrinsics, ready or not, in the order of their arrival.
    pub(crate) fn all(&self) -> Vec<Arc<Vec<u8>>> {
        let mut entries: Vec<&Entry> = self.entries.values().collect();
        entries.sort_unstable_by_key(|entry| entry.arrival);
        entries
            .into_iter()
            .map(|entry| entry.candidate.bytes.clone())
            .collect()
    }

    /// Number of extrinsics held.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests;
