//! The chain: its blocks, its recent states and the pool in front of them.
//!
//! One block is made at a time, under the sealing lock; it is best and final at once. Readers take the ledger's lock
//! only to look something up, and then work on a state that later blocks do not touch.

use std::{
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use athanor_runtime::{Header, VERSION};
use codec::{Decode, Encode};
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use sp_core::H256;
use sp_inherents::InherentData;
use sp_runtime::{
    ApplyExtrinsicResult, StateVersion,
    traits::{BlakeTwo256, Hash, Header as _},
    transaction_validity::{InvalidTransaction, TransactionValidityError},
};
use sp_state_machine::BackendTransaction;
use thiserror::Error;
use tokio::sync::{Notify, broadcast};

use crate::{
    beacon,
    config::{Clock, Keep},
    executor::{self, CallError, Overlay, State},
    faults::Faults,
    genesis::{self, Genesis, GenesisError},
    ledger::{Block, Body, Ledger},
    pool::{Candidate, Pool},
    store::{Store, StoreError},
};

/// Blocks that a slow subscriber may fall behind before it misses some.
const BACKLOG: usize = 1_024;

/// A block that was just made.
pub(crate) struct Imported {
    pub(crate) hash: H256,
    pub(crate) header: Header,
    /// Storage keys that it changed, with their new values.
    pub(crate) changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// No block could be made.
#[derive(Debug, Error)]
pub enum BuildError {
    /// An entry point failed.
    #[error("block building failed: {0}")]
    Call(String),
    /// An entry point answered what cannot be read.
    #[error("the runtime's answer from {method} cannot be decoded")]
    Answer {
        /// The entry point.
        method: &'static str,
        /// Why.
        source: codec::Error,
    },
    /// The state that was built is not the one that the header names.
    #[error("the header names another state root than the state has")]
    StateRoot,
    /// The block cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain was shut down.
    #[error("the devnet is shutting down")]
    Closed,
}

impl From<CallError> for BuildError {
    fn from(error: CallError) -> Self {
        Self::Call(error.to_string())
    }
}

/// A chain could not be started.
#[derive(Debug, Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The chain.
pub(crate) struct Chain {
    clock: Clock,
    block_time: u64,
    /// Whether this process is the chain's beacon.
    is_beacon: bool,
    ledger: RwLock<Ledger>,
    pool: Mutex<Pool>,
    /// Held while a block is made; whether none is made any more.
    sealing: Mutex<bool>,
    imported: broadcast::Sender<Arc<Imported>>,
    submitted: Notify,
    faults: Arc<Faults>,
}

impl Chain {
    /// A chain of its genesis block, in memory.
    #[cfg(test)]
    pub(crate) fn new(clock: Clock, genesis: &Genesis) -> Result<Self, OpenError> {
        Self::open(clock, genesis, Keep::default(), None, Arc::default())
    }

    /// The chain in a directory, if there is one in it; else one of its genesis block.
    pub(crate) fn open(
        clock: Clock,
        genesis: &Genesis,
        keep: Keep,
        base_path: Option<&Path>,
        faults: Arc<Faults>,
    ) -> Result<Self, OpenError> {
        let json = genesis.to_json()?;
        let store = base_path
            .map(|path| Store::open(path, VERSION.spec_version))
            .transpose()?
            .map(Arc::new);
        let mut ledger = Ledger::new(keep, store.clone());
        let (block, changes) = genesis_block(&ledger.empty_state(), &json)?;
        let stored = match &store {
            Some(store) => store.load(usize::try_from(keep.blocks).unwrap_or(usize::MAX))?,
            None => None,
        };
        match (store, stored) {
            (Some(store), Some(stored)) if stored.genesis.hash != block.hash => {
                return Err(store.other_genesis(stored.genesis.hash, block.hash).into());
            }
            (Some(store), Some(stored)) => ledger = Ledger::restore(keep, store, stored)?,
            (store, _) => {
                let change = ledger.plan(changes);
                if let Some(store) = store {
                    store.append(&block, &change)?;
                }
                ledger.push(block, change);
            }
        }
        Ok(Self {
            clock,
            block_time: genesis::block_time(&json),
            is_beacon: beacon::is_named_by(&json),
            ledger: RwLock::new(ledger),
            pool: Mutex::new(Pool::default()),
            sealing: Mutex::new(false),
            imported: broadcast::channel(BACKLOG).0,
            submitted: Notify::new(),
            faults,
        })
    }

    /// Makes no block any more, and closes the directory that the chain is kept in.
    pub(crate) fn close(&self) {
        *self.sealing.lock() = true;
        self.ledger.write().close();
    }

    /// Reads from the ledger.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&Ledger) -> R) -> R {
        look(&self.ledger.read())
    }

    /// The pool; its lock is never held while the runtime runs for long.
    pub(crate) fn pool(&self) -> parking_lot::MutexGuard<'_, Pool> {
        self.pool.lock()
    }

    /// Blocks as they are made, from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Imported>> {
        self.imported.subscribe()
    }

    /// Wakes when an extrinsic has entered the pool.
    pub(crate) fn submitted(&self) -> &Notify {
        &self.submitted
    }

    /// What goes wrong on purpose.
    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Makes the next block of what the pool has ready.
    pub(crate) fn seal(&self) -> Result<Arc<Imported>, BuildError> {
        let closed = self.sealing.lock();
        if *closed {
            return Err(BuildError::Closed);
        }
        let (parent, state, store) = self.read(|ledger| {
            (
                ledger.best().clone(),
                ledger.best_state(),
                ledger.store().cloned(),
            )
        });
        let timestamp = match self.clock {
            Clock::Virtual => parent.timestamp.saturating_add(self.block_time),
            Clock::Wall => wall_clock().max(parent.timestamp.saturating_add(1)),
        };
        let candidates = self.pool().ready(parent.header.number + 1);
        let mut builder = Builder::start(&state, &parent, timestamp, self.is_beacon)?;
        let mut outcome = Outcome::default();
        for candidate in candidates {
            match builder.apply(&candidate.bytes)? {
                Ok(_) => outcome.included.push(candidate),
                Err(TransactionValidityError::Invalid(InvalidTransaction::ExhaustsResources)) => {
                    break;
                }
                Err(TransactionValidityError::Invalid(InvalidTransaction::Future)) => {}
                Err(_) => outcome.refused.push(candidate),
            }
        }
        let Built {
            header,
            body,
            changes,
        } = builder.finish()?;
        let block = Block {
            hash: header.hash(),
            header: header.clone(),
            body: Arc::new(body),
            timestamp,
        };
        let hash = block.hash;
        let change = self.read(|ledger| ledger.plan(changes.transaction));
        // Nobody hears of a block before it is on disk.
        if let Some(store) = store {
            store.append(&block, &change)?;
        }
        self.ledger.write().push(block, change);
        self.pool()
            .advance(header.number, hash, &outcome.included, &outcome.refused);
        let imported = Arc::new(Imported {
            hash,
            header,
            changes: changes.main_storage_changes,
        });
        // Nobody listening is fine.
        let _ = self.imported.send(imported.clone());
        Ok(imported)
    }
}

/// The genesis block, and the changes that it makes to the empty state.
fn genesis_block(
    empty: &State,
    json: &Value,
) -> Result<(Block, BackendTransaction<BlakeTwo256>), GenesisError> {
    let mut overlay = genesis::build(empty, json)?;
    let changes = overlay
        .drain_storage_changes(empty, StateVersion::V1)
        .map_err(|error| GenesisError::Contradictory(error.to_string()))?;
    let header = Header::new(
        0,
        extrinsics_root(&[]),
        changes.transaction_storage_root,
        H256::zero(),
        Default::default(),
    );
    let block = Block {
        hash: header.hash(),
        header,
        body: Arc::default(),
        timestamp: 0,
    };
    Ok((block, changes.transaction))
}

/// What became of the pool's candidates.
#[derive(Default)]
struct Outcome {
    included: Vec<Candidate>,
    refused: Vec<Candidate>,
}

/// A block under construction.
struct Builder<'a> {
    state: &'a State,
    overlay: Overlay,
    body: Body,
}

struct Built {
    header: Header,
    body: Body,
    changes: sp_state_machine::StorageChanges<BlakeTwo256>,
}

impl<'a> Builder<'a> {
    fn start(
        state: &'a State,
        parent: &Block,
        timestamp: u64,
        is_beacon: bool,
    ) -> Result<Self, BuildError> {
        let mut builder = Self {
            state,
            overlay: Overlay::default(),
            body: Vec::new(),
        };
        let header = Header::new(
            parent.header.number + 1,
            H256::zero(),
            H256::zero(),
            parent.hash,
            Default::default(),
        );
        builder.call("Core_initialize_block", &header.encode())?;
        let mut data = InherentData::new();
        data.put_data(
            sp_timestamp::INHERENT_IDENTIFIER,
            &sp_timestamp::Timestamp::new(timestamp),
        )
        .map_err(|error| BuildError::Call(error.to_string()))?;
        if is_beacon {
            let method = "BeaconApi_awaited_rounds";
            let rounds = builder.call(method, &timestamp.encode())?;
            let rounds = Vec::<u64>::decode(&mut &rounds[..])
                .map_err(|source| BuildError::Answer { method, source })?;
            data.put_data(
                athanor_runtime::drand::INHERENT_IDENTIFIER,
                &beacon::pulses(&rounds),
            )
            .map_err(|error| BuildError::Call(error.to_string()))?;
        }
        let method = "BlockBuilder_inherent_extrinsics";
        let answer = builder.call(method, &data.encode())?;
        // An extrinsic encodes as a length-prefixed blob, so a list of them reads as a list of byte strings.
        let inherents = Vec::<Vec<u8>>::decode(&mut &answer[..])
            .map_err(|source| BuildError::Answer { method, source })?;
        for inherent in inherents {
            builder
                .apply(&inherent.encode())?
                .map_err(|error| BuildError::Call(format!("inherent refused: {error:?}")))?
                .map_err(|error| BuildError::Call(format!("inherent failed: {error:?}")))?;
        }
        Ok(builder)
    }

    fn call(&mut self, method: &'static str, data: &[u8]) -> Result<Vec<u8>, CallError> {
        executor::call(self.state, &mut self.overlay, method, data)
    }

    /// Applies an extrinsic; one that may not be included leaves no trace. One that panics counts as such.
    fn apply(&mut self, extrinsic: &[u8]) -> Result<ApplyExtrinsicResult, BuildError> {
        let method = "BlockBuilder_apply_extrinsic";
        self.overlay.start_transaction();
        let result = match self.call(method, extrinsic) {
            Ok(answer) => ApplyExtrinsicResult::decode(&mut &answer[..])
                .map_err(|source| BuildError::Answer { method, source })?,
            Err(error) => {
                tracing::warn!(%error, "an extrinsic makes the runtime panic and is dropped");
                Err(InvalidTransaction::BadProof.into())
            }
        };
        let closed = match result {
            Ok(_) => {
                self.body.push(extrinsic.to_vec());
                self.overlay.commit_transaction()
            }
            Err(_) => self.overlay.rollback_transaction(),
        };
        closed.expect("the transaction was opened above");
        Ok(result)
    }

    fn finish(mut self) -> Result<Built, BuildError> {
        let method = "BlockBuilder_finalize_block";
        let answer = self.call(method, &[])?;
        let header = Header::decode(&mut &answer[..])
            .map_err(|source| BuildError::Answer { method, source })?;
        let changes = self
            .overlay
            .drain_storage_changes(self.state, StateVersion::V1)
            .map_err(BuildError::Call)?;
        if changes.transaction_storage_root != header.state_root {
            return Err(BuildError::StateRoot);
        }
        Ok(Built {
            header,
            body: self.body,
            changes,
        })
    }
}

/// Root of a block's extrinsics.
fn extrinsics_root(body: &[Vec<u8>]) -> H256 {
    BlakeTwo256::ordered_trie_root(body.to_vec(), StateVersion::V0)
}

/// Milliseconds since 1970 by the machine's clock; 0 if that is set before.
fn wall_clock() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
