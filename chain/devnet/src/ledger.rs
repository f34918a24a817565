//! Look up blocks and their states.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use athanor_runtime::Header;
use sp_core::H256;
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::{Backend as _, BackendTransaction, IterArgs};
use sp_trie::{LayoutV1, TrieConfiguration as _};
use thiserror::Error;

use crate::{
    config::Keep,
    executor::State,
    history::{History, StateChange},
    store::{Store, StoreError, Stored},
};

/// The extrinsics of a block, each with its length prefix.
pub(crate) type Body = Vec<Vec<u8>>;

/// A block.
#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) hash: H256,
    pub(crate) header: Header,
    pub(crate) body: Arc<Body>,
    /// Milliseconds since 1970.
    pub(crate) timestamp: u64,
}

/// The genesis block, recent blocks and recent states; older blocks as well if the chain is kept on disk.
pub(crate) struct Ledger {
    genesis: Option<Block>,
    /// The newest blocks, the genesis among them while the chain is short.
    recent: VecDeque<Block>,
    numbers: HashMap<H256, u32>,
    keep: usize,
    history: History,
    store: Option<Arc<Store>>,
}

/// A block's state cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum StateError {
    /// There is no such block.
    #[error("Header was not found in the database: {0:?}")]
    Unknown(H256),
    /// The block is too old.
    #[error("State already discarded for {0:?}")]
    Discarded(H256),
}

impl Ledger {
    /// No block yet.
    pub(crate) fn new(keep: Keep, store: Option<Arc<Store>>) -> Self {
        Self {
            genesis: None,
            recent: VecDeque::new(),
            numbers: HashMap::new(),
            keep: count(keep.blocks).max(1),
            history: History::new(count(keep.states)),
            store,
        }
    }

    /// What a directory holds. The newest state is read whole, and must have the root that its block names.
    pub(crate) fn restore(
        keep: Keep,
        store: Arc<Store>,
        stored: Stored,
    ) -> Result<Self, StoreError> {
        let numbers = stored
            .recent
            .iter()
            .chain([&stored.genesis])
            .map(|block| (block.hash, block.header.number));
        let mut ledger = Self {
            numbers: numbers.collect(),
            genesis: Some(stored.genesis),
            recent: stored.recent.into(),
            history: History::restore(count(keep.states), stored.nodes, stored.released),
            ..Self::new(keep, None)
        };
        let newest = ledger
            .recent
            .back()
            .ok_or_else(|| store.damaged("it has no blocks"))?;
        let unreadable = |_| store.damaged("the newest state cannot be read");
        let pairs = ledger
            .best_state()
            .pairs(IterArgs::default())
            .map_err(unreadable)?
            .collect::<Result<Vec<_>, _>>()
            .map_err(unreadable)?;
        if LayoutV1::<BlakeTwo256>::trie_root(pairs) != newest.header.state_root {
            return Err(store.damaged("the newest state has another root than its block says"));
        }
        ledger.store = Some(store);
        Ok(ledger)
    }

    /// What the next block's changes mean for the states that are kept.
    pub(crate) fn plan(&self, changes: BackendTransaction<BlakeTwo256>) -> StateChange {
        self.history.plan(changes)
    }

    /// Adds the next block.
    pub(crate) fn push(&mut self, block: Block, change: StateChange) {
        self.numbers.insert(block.hash, block.header.number);
        if self.genesis.is_none() {
            self.genesis = Some(block.clone());
        }
        self.recent.push_back(block);
        if self.recent.len() > self.keep
            && let Some(oldest) = self.recent.pop_front()
            && oldest.header.number > 0
        {
            self.numbers.remove(&oldest.hash);
        }
        self.history.apply(change);
    }

    /// A state without a block: what the genesis block is built on.
    pub(crate) fn empty_state(&self) -> State {
        self.history
            .nodes()
            .state(sp_trie::empty_trie_root::<LayoutV1<BlakeTwo256>>())
    }

    /// The newest block.
    pub(crate) fn best(&self) -> &Block {
        self.recent
            .back()
            .expect("the genesis block is added when the chain is made")
    }

    /// Hash of block 0.
    pub(crate) fn genesis_hash(&self) -> H256 {
        self.genesis
            .as_ref()
            .expect("the genesis block is added when the chain is made")
            .hash
    }

    /// Hash of the block with this number.
    pub(crate) fn hash(&self, number: u32) -> Option<H256> {
        self.block_numbered(number).map(|block| block.hash)
    }

    /// The block with this hash, if it is still kept.
    pub(crate) fn block(&self, hash: &H256) -> Option<Block> {
        self.block_numbered(self.number(hash)?)
    }

    /// Number of the block with this hash.
    pub(crate) fn number(&self, hash: &H256) -> Option<u32> {
        let known = self.numbers.get(hash).copied();
        known.or_else(|| self.on_disk(|store| store.number(hash)))
    }

    fn block_numbered(&self, number: u32) -> Option<Block> {
        if number == 0 {
            return self.genesis.clone();
        }
        let first = self.recent.front()?.header.number;
        match number.checked_sub(first) {
            Some(index) => self.recent.get(count(index)).cloned(),
            None => self.on_disk(|store| store.block(number)),
        }
    }

    /// Looks something up on disk, if there is one. A failure is logged, and like not being there.
    fn on_disk<T>(&self, look: impl FnOnce(&Store) -> Result<Option<T>, StoreError>) -> Option<T> {
        look(self.store.as_ref()?).unwrap_or_else(|error| {
            tracing::error!(%error, "an old block cannot be read");
            None
        })
    }

    /// State after the block with this hash.
    pub(crate) fn state(&self, hash: &H256) -> Result<State, StateError> {
        let number = self.number(hash).ok_or(StateError::Unknown(*hash))?;
        let age = self.best().header.number.saturating_sub(number);
        if count(age) >= self.history.len() {
            return Err(StateError::Discarded(*hash));
        }
        let block = self.block_numbered(number);
        let root = block.ok_or(StateError::Unknown(*hash))?.header.state_root;
        Ok(self.history.nodes().state(root))
    }

    /// State after the newest block.
    pub(crate) fn best_state(&self) -> State {
        self.history.nodes().state(self.best().header.state_root)
    }

    /// Number of trie nodes held.
    pub(crate) fn node_count(&self) -> usize {
        self.history.nodes().len()
    }

    /// Number of blocks in memory.
    pub(crate) fn block_count(&self) -> usize {
        self.recent.len()
    }

    /// The directory that the chain is kept in.
    pub(crate) fn store(&self) -> Option<&Arc<Store>> {
        self.store.as_ref()
    }

    /// Closes the directory.
    pub(crate) fn close(&mut self) {
        self.store = None;
    }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
